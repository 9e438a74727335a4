//! Which call a piece of a stream belongs to.
//!
//! OpenAI numbers the calls of an answer, and clients put the pieces together by that number alone. Servers that speak its
//! dialect leave the number out, give each call number 0, or send a call's id again with every piece; read by the number, two
//! calls become one with the arguments of both.

use serde_json::{Value, json};

/// The most calls of one choice that are told apart.
const MOST: usize = 128;

/// The calls of one choice, in the order in which they began: the number that the provider gave, and the id.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<(Option<u64>, Option<String>)>);

impl Calls {
    /// The number of the call that a piece belongs to.
    fn number(&mut self, index: Option<u64>, id: Option<&str>, begins: bool) -> u64 {
        let known = match (index, id) {
            // The same call twice over: of several with one number and one id the last.
            (_, Some(id)) => self.0.iter().rposition(|(known, known_id)| {
                let same_id = known_id.as_deref().is_none_or(|known| known == id);
                same_id && if index.is_none() { known_id.is_some() } else { *known == index }
            }),
            (Some(_), None) => self.0.iter().rposition(|(known, _)| *known == index),
            // Neither a number nor an id: it goes on with the last, unless it names a function.
            (None, None) if begins => None,
            (None, None) => self.0.len().checked_sub(1),
        };
        let at = known.unwrap_or_else(|| {
            if self.0.len() < MOST {
                self.0.push((index, None));
            }
            self.0.len() - 1
        });
        if let (Some(call), Some(id)) = (self.0.get_mut(at), id) {
            call.1.get_or_insert_with(|| id.to_owned());
        }
        u64::try_from(at).unwrap_or(u64::MAX)
    }

    /// Numbers the entries of a delta's `tool_calls`; `true` when that changed any.
    pub(super) fn renumber(&mut self, calls: &mut Value) -> bool {
        let Some(calls) = calls.as_array_mut() else { return false };
        let before = calls.len();
        // What is no call has no number either, and clients trip over it.
        calls.retain(Value::is_object);
        let mut changed = calls.len() != before;
        for call in calls {
            let index = call.get("index").and_then(Value::as_u64);
            let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let begins = call.pointer("/function/name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
            let number = self.number(index, id, begins);
            if index != Some(number) {
                call["index"] = json!(number);
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(pieces: &[Value]) -> Vec<u64> {
        let mut calls = Calls::default();
        let mut all = Vec::new();
        for piece in pieces {
            let mut list = json!([piece]);
            calls.renumber(&mut list);
            all.push(list[0]["index"].as_u64().unwrap());
        }
        all
    }

    fn named(mut piece: Value) -> Value {
        piece["function"] = json!({"name": "weather", "arguments": ""});
        piece
    }

    #[test]
    fn pieces_belong_to_the_call_they_say() {
        let (a, b) = (json!({"index": 0, "id": "a"}), json!({"index": 1, "id": "b"}));
        let more = |index: u64| json!({"index": index, "function": {"arguments": "{}"}});
        // As OpenAI sends them, also with pieces of both in turns.
        assert_eq!(numbers(&[named(a.clone()), more(0), named(b.clone()), more(1), more(0)]), [0, 0, 1, 1, 0]);
        // The id again with every piece.
        assert_eq!(numbers(&[a.clone(), a.clone(), b.clone(), b.clone()]), [0, 0, 1, 1]);
        // Number 0 for each.
        let (a0, b0) = (json!({"index": 0, "id": "a"}), json!({"index": 0, "id": "b"}));
        assert_eq!(numbers(&[named(a0.clone()), more(0), named(b0.clone()), more(0), b0, a0]), [0, 0, 1, 1, 1, 0]);
        // No number at all, with ids and without.
        let (an, bn) = (json!({"id": "a"}), json!({"id": "b"}));
        let rest = json!({"function": {"arguments": "{}"}});
        assert_eq!(numbers(&[named(an.clone()), rest.clone(), named(bn.clone()), rest.clone(), an]), [0, 0, 1, 1, 0]);
        assert_eq!(numbers(&[named(json!({})), rest.clone(), named(json!({})), rest]), [0, 0, 1, 1]);
        // Numbers that begin anywhere.
        assert_eq!(
            numbers(&[json!({"index": 7, "id": "a"}), more(7), json!({"index": 9, "id": "b"}), more(9)]),
            [0, 0, 1, 1]
        );
        // One id for two numbers: the numbers count.
        assert_eq!(
            numbers(&[json!({"index": 0, "id": "x"}), json!({"index": 1, "id": "x"}), more(0), more(1)]),
            [0, 1, 0, 1]
        );
        // The id comes with a later piece, or is empty.
        assert_eq!(
            numbers(&[named(json!({"index": 0})), json!({"index": 0, "id": "a"}), json!({"index": 0, "id": ""})]),
            [0, 0, 0]
        );
    }

    #[test]
    fn what_is_right_is_left_as_it_is_and_nothing_grows_without_end() {
        let mut calls = Calls::default();
        assert!(!calls.renumber(&mut json!([{"index": 0, "id": "a"}, {"index": 1, "id": "b"}])));
        for odd in [json!(null), json!({}), json!([1, null, "x"]), json!("x")] {
            calls.renumber(&mut odd.clone());
        }
        for number in 0..10_000 {
            calls.renumber(&mut json!([{"id": format!("call_{number}")}]));
        }
        assert!(calls.0.len() <= MOST);
    }
}
