//! The members of a JSON object in their order, with their values untouched: how OpenAI's bodies are edited without being re-written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::operations;

/// An object's members, values as the text they arrived in. A name that comes twice counts once, the last one winning, so that
/// no parser behind us can read another value than the one that was checked here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// `None` when the text is not a JSON object.
    pub(crate) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The value of a member as JSON text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// Takes out what is null: it is as good as absent.
    pub(crate) fn drop_nulls(&mut self) {
        self.0.retain(|(_, value)| value.get() != "null");
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.get()))
    }

    /// The object with some members replaced (or added at the end). A replacement of `None` leaves the member out.
    pub(crate) fn with(&self, replacements: &[(&str, Option<String>)]) -> String {
        let replaced = |name: &str| replacements.iter().find(|(key, _)| *key == name);
        let kept = self.iter().filter_map(|(key, value)| match replaced(key) {
            Some((_, Some(new))) => Some((key, new.as_str())),
            Some((_, None)) => None,
            None => Some((key, value)),
        });
        let added = replacements
            .iter()
            .filter(|(key, _)| self.get(key).is_none())
            .filter_map(|(key, new)| new.as_deref().map(|new| (*key, new)));
        let mut out = String::with_capacity(self.iter().map(|(k, v)| k.len() + v.len() + 4).sum::<usize>() + 64);
        out.push('{');
        for (key, value) in kept.chain(added) {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&quoted(key));
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

/// A string as a JSON string literal.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Most members of an object that is read this way. OpenAI's request has some forty; looking for one among so many is a
/// matter of a microsecond, and a body cannot make it more.
pub(crate) const MOST_MEMBERS: usize = 128;

/// The object has more members than [`MOST_MEMBERS`].
pub(crate) struct TooManyMembers;

impl fmt::Display for TooManyMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "has more than {MOST_MEMBERS} members")
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut read = 0;
        while let Some(key) = map.next_key::<String>()? {
            // Before its value is read. Members that come twice count, too: each is looked for among those before it.
            read += 1;
            if read > MOST_MEMBERS {
                return Err(A::Error::custom(TooManyMembers));
            }
            let value = map.next_value()?;
            operations::count(members.len());
            match members.iter_mut().find(|(known, _)| *known == key) {
                Some(member) => member.1 = value,
                None => members.push((key, value)),
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests;
