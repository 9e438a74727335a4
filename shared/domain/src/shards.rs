//! Several databases: where a new tenant is placed, and what follows when a change of two databases breaks off.
//!
//! The directory of sign-in names is on the first shard; everything of a tenant is on the shard that its id names. There is no
//! transaction over both, so the order of writes keeps this true at every moment: **nobody signs in but through the directory,
//! and whoever it names has a row on the tenant's shard, or a note there says that the directory is to follow.**
//!
//! | change | first, in one transaction on the tenant's shard | then, on the first shard | then |
//! |---|---|---|---|
//! | registration | tenant, user, subscription, note `registered` | the sign-in name | the note goes |
//! | joining, leaving a team | the user's row moves, note `moved` | the sign-in name follows | the note goes |
//! | deletion | the user's row goes, the job is noted | the sign-in name goes | the job goes on |
//!
//! On the first shard itself, each is one transaction without a note. A note that is left behind is settled by [`settle`].

use crate::id::{Shard, TenantId, UserId};

/// How a user came to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// By a registration.
    Registered,
    /// From another tenant on the same shard.
    Moved,
}

impl Arrival {
    /// Its name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Moved => "moved",
        }
    }

    /// The arrival of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Registered, Self::Moved].into_iter().find(|arrival| arrival.as_str() == name)
    }
}

/// What becomes of a note that was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The directory knows: only the note goes.
    Arrived,
    /// The directory is behind: the sign-in name follows the row.
    Follow,
    /// The registration never came about, and nobody can sign in: its rows go.
    Remove,
}

/// Decides a note by whom the directory says that the address belongs to.
///
/// A registration that broke off is not completed: who registered was told that it failed, and the address may be another
/// account's by now.
pub fn settle(how: Arrival, tenant: TenantId, user: UserId, directory: Option<(TenantId, UserId)>) -> Settled {
    match (how, directory) {
        (_, Some((at, who))) if who == user && at == tenant => Settled::Arrived,
        (Arrival::Moved, Some((_, who))) if who == user => Settled::Follow,
        // Registered by somebody else meanwhile, or never.
        (Arrival::Registered, _) => Settled::Remove,
        // Deleted meanwhile.
        (Arrival::Moved, _) => Settled::Arrived,
    }
}

/// The shards that new tenants are placed on, with their weights: `0:1,1:3`, or `1` for the second alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement(Vec<(Shard, u32)>);

impl Placement {
    /// Reads a setting; `None` when it is none.
    pub fn parse(setting: &str) -> Option<Self> {
        let shards = setting.split(',').map(|part| {
            let (number, weight) = part.trim().split_once(':').unwrap_or((part.trim(), "1"));
            let weight: u32 = weight.trim().parse().ok().filter(|weight| *weight <= 1_000)?;
            Some((Shard::new(number.trim().parse().ok()?)?, weight))
        });
        shards.collect::<Option<_>>().map(Self)
    }

    /// The shard of a new tenant, by a random number. Shards that are not bound do not count; where none is left, or nothing is
    /// set, it is the first.
    pub fn choose(&self, is_bound: impl Fn(Shard) -> bool, random: u64) -> Shard {
        let open: Vec<_> = self.0.iter().filter(|(shard, _)| is_bound(*shard)).collect();
        let total: u64 = open.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let Some(mut ticket) = random.checked_rem(total) else { return Shard::FIRST };
        for (shard, weight) in open {
            match ticket.checked_sub(u64::from(*weight)) {
                Some(rest) => ticket = rest,
                None => return *shard,
            }
        }
        Shard::FIRST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard(number: u16) -> Shard {
        Shard::new(number).unwrap()
    }

    #[test]
    fn a_setting_is_read_or_refused() {
        assert_eq!(Placement::parse("1"), Some(Placement(vec![(shard(1), 1)])));
        assert_eq!(Placement::parse(" 0:1, 1 : 3 "), Some(Placement(vec![(shard(0), 1), (shard(1), 3)])));
        for wrong in ["", "x", "1,", "-1", "4096", "1:", "1:x", "1:1001", "1;2"] {
            assert_eq!(Placement::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn closed_and_unbound_shards_get_nobody() {
        let placement = Placement::parse("0:0,1:1,2:5").unwrap();
        for random in 0..100 {
            assert_eq!(placement.choose(|shard| shard.number() < 2, random), shard(1));
            assert_eq!(placement.choose(|_| false, random), Shard::FIRST);
            assert_eq!(Placement::default().choose(|_| true, random), Shard::FIRST);
        }
    }

    proptest! {
        #[test]
        fn shares_are_the_weights(weights in proptest::collection::vec(0_u32..20, 1..6)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let setting: Vec<_> = weights.iter().enumerate().map(|(at, weight)| format!("{at}:{weight}")).collect();
            let placement = Placement::parse(&setting.join(",")).unwrap();
            let total: u32 = weights.iter().sum();
            let mut placed = vec![0; weights.len()];
            for random in 0..u64::from(total) * 3 {
                placed[usize::from(placement.choose(|_| true, random).number())] += 1;
            }
            for (found, weight) in placed.into_iter().zip(weights) {
                prop_assert_eq!(found, weight * 3);
            }
        }

        #[test]
        fn no_setting_panics(setting: String, random: u64) {
            if let Some(placement) = Placement::parse(&setting) {
                placement.choose(|_| true, random);
            }
        }
    }

    #[test]
    fn a_note_is_settled_by_what_the_directory_says() {
        use Arrival::{Moved, Registered};
        let (here, there) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let (user, other) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        for (how, directory, settled) in [
            (Registered, Some((here, user)), Settled::Arrived),
            (Registered, None, Settled::Remove),
            (Registered, Some((there, other)), Settled::Remove),
            (Moved, Some((here, user)), Settled::Arrived),
            (Moved, Some((there, user)), Settled::Follow),
            (Moved, None, Settled::Arrived),
            (Moved, Some((there, other)), Settled::Arrived),
        ] {
            assert_eq!(settle(how, here, user, directory), settled, "{how:?} {directory:?}");
        }
    }
}
