//! The chain of a tenant's entries.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::{
    id::TenantId,
    ledger::{Hash, Row, Verifier},
    time::{Timestamp, millis},
};

/// Where a chain ends: how many entries it has, the hash of the last and its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many entries there are; the last one's number.
    pub rows: u64,
    /// The last one's hash.
    pub hash: Hash,
    /// The last one's instant.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

impl Head {
    /// The head of a chain without entries.
    pub fn empty(tenant: TenantId) -> Self {
        let at = Timestamp::default();
        Self { rows: 0, hash: Hash::GENESIS.next(0, at, &format!("audit {tenant}")), at }
    }
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When it was written; never before the entry before it.
    pub at: Timestamp,
    /// The entry as JSON.
    pub body: String,
    /// Its hash.
    pub hash: Hash,
}

/// Adds an entry after a head: the row to be stored, and the head after it. Storing must fail when there is a row of that
/// number: of two entries at the same time, one comes after the other.
///
/// A clock that jumps back moves nothing back: the entry then gets the instant of the one before it.
///
/// `None` when the entry cannot be written; see [`Entry::to_body`].
pub fn append(head: Head, entry: &Entry, now: Timestamp) -> Option<(Stored, Head)> {
    let body = entry.to_body()?;
    let (seq, at) = (head.rows + 1, now.max(head.at));
    let hash = head.hash.next(seq, at, &body);
    Some((Stored { seq, at, body, hash }, Head { rows: seq, hash, at }))
}

/// What a walk along a chain has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was changed, and it holds the known head: nothing before that is missing either.
    Sound(Head),
    /// The row of that number does not follow from the one before it: it, or something before it, was changed, removed or
    /// slipped in.
    Broken {
        /// Its number, counted from the start.
        at_row: u64,
    },
    /// Each row follows from the one before, but the row that the known head names is another one or is missing: the end
    /// was cut off, or all of it written anew.
    Forked,
}

/// A walk along a tenant's chain from its start, row by row: nobody needs to hold all of it.
#[derive(Debug)]
pub struct Walk {
    verifier: Verifier,
    known: Head,
    last: Head,
    met: bool,
    earlier: Option<u64>,
}

impl Walk {
    /// Before the first row. `known` is a head that was kept apart, `Head::empty` when there is none.
    pub fn new(tenant: TenantId, known: Head) -> Self {
        let start = Head::empty(tenant);
        let met = known.rows == 0 && known.hash == start.hash;
        Self { verifier: Verifier::after(0, start.hash), known, last: start, met, earlier: None }
    }

    /// The next row.
    pub fn push(&mut self, row: &Stored) {
        self.verifier.push(&Row { seq: row.seq, at: row.at, body: &row.body, hash: row.hash });
        if row.at < self.last.at && self.earlier.is_none() {
            self.earlier = Some(self.last.rows + 1);
        }
        self.last = Head { rows: self.last.rows + 1, hash: row.hash, at: row.at };
        self.met |= self.last.rows == self.known.rows && self.last.hash == self.known.hash;
    }

    /// The last row that was walked over, sound or not.
    pub const fn last(&self) -> Head {
        self.last
    }

    /// What was found.
    pub fn finish(self) -> Verdict {
        let (_, _, broken) = self.verifier.finish();
        match broken.into_iter().chain(self.earlier).min() {
            Some(at_row) => Verdict::Broken { at_row },
            None if self.met => Verdict::Sound(self.last),
            None => Verdict::Forked,
        }
    }
}

/// Walks a tenant's chain at once; see [`Walk`].
pub fn verify<'a>(tenant: TenantId, known: Head, rows: impl IntoIterator<Item = &'a Stored>) -> Verdict {
    let mut walk = Walk::new(tenant, known);
    for row in rows {
        walk.push(row);
    }
    walk.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Action, Actor, Outcome, Source, Target};
    use proptest::prelude::*;

    fn tenant(byte: u8) -> TenantId {
        TenantId::from_bytes([byte; 16])
    }

    fn entry(name: &str) -> Entry {
        let target = Target { kind: "user".into(), id: Some(name.into()) };
        Entry::new(Actor::Anonymous, Action::SignIn, target, Source::default(), Outcome::Denied)
    }

    fn chain(of: TenantId, names: &[String]) -> (Vec<Stored>, Head) {
        let mut head = Head::empty(of);
        let mut rows = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let now = Timestamp::from_millis(1000 * i64::try_from(index).unwrap());
            let (row, next) = append(head, &entry(name), now).unwrap();
            rows.push(row);
            head = next;
        }
        (rows, head)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("usr_{number}")).collect()
    }

    #[test]
    fn an_empty_chain_is_sound() {
        let head = Head::empty(tenant(1));
        assert_eq!(verify(tenant(1), head, []), Verdict::Sound(head));
    }

    #[test]
    fn another_tenant_s_chain_is_not_this_one_s() {
        let (rows, _) = chain(tenant(1), &names(3));
        assert_eq!(verify(tenant(2), Head::empty(tenant(2)), &rows), Verdict::Broken { at_row: 1 });
    }

    #[test]
    fn a_chain_that_was_cut_off_or_written_anew_is_found_by_the_head_that_was_kept() {
        let (rows, head) = chain(tenant(1), &names(5));
        assert_eq!(verify(tenant(1), head, &rows), Verdict::Sound(head));
        assert_eq!(verify(tenant(1), head, &rows[..4]), Verdict::Forked);
        assert_eq!(verify(tenant(1), head, []), Verdict::Forked);
        let other: Vec<_> = names(6).into_iter().map(|name| name + "x").collect();
        assert_eq!(verify(tenant(1), head, &chain(tenant(1), &other).0), Verdict::Forked);
        // What was added after the head was kept is no change.
        let (longer, end) = chain(tenant(1), &names(9));
        assert_eq!(verify(tenant(1), head, &longer), Verdict::Sound(end));
    }

    #[test]
    fn a_clock_that_jumps_back_moves_nothing_back() {
        let (_, head) = chain(tenant(1), &names(3));
        let (row, _) = append(head, &entry("late"), Timestamp::from_millis(-5)).unwrap();
        assert_eq!(row.at, head.at);
    }

    #[test]
    fn an_entry_of_another_release_verifies() {
        let (mut rows, head) = chain(tenant(1), &names(2));
        let body = r#"{"action":"future.thing"}"#.to_owned();
        let hash = head.hash.next(3, head.at, &body);
        rows.push(Stored { seq: 3, at: head.at, body, hash });
        assert_eq!(verify(tenant(1), head, &rows), Verdict::Sound(Head { rows: 3, hash, at: head.at }));
    }

    proptest! {
        #[test]
        fn a_change_anywhere_is_found(count in 1_usize..30, at: prop::sample::Index, what in 0..6) {
            let (mut rows, head) = chain(tenant(1), &names(count));
            prop_assert_eq!(verify(tenant(1), head, &rows), Verdict::Sound(head));
            let index = at.index(rows.len());
            match what {
                0 => rows[index].body.push(' '),
                1 => rows[index].at = rows[index].at.plus_millis(1),
                2 => rows[index].seq += 1,
                3 => rows[index].hash = rows[index].hash.next(1, Timestamp::default(), ""),
                4 => { rows.remove(index); }
                _ => { let again = rows[index].clone(); rows.insert(index, again); }
            }
            let verdict = verify(tenant(1), head, &rows);
            prop_assert!(!matches!(verdict, Verdict::Sound(_)), "{verdict:?}");
            if let Verdict::Broken { at_row } = verdict {
                let changed = index as u64 + 1;
                prop_assert!(at_row == changed || at_row == changed + 1);
            }
        }
    }
}
