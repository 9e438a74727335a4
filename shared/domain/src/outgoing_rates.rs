//! How often somebody may have the platform call another server or write a mail: one table for every route that does.
//!
//! Each of these is free for us to refuse and costs somebody else when it is let through: Stripe counts our calls, an identity
//! provider its requests, and whoever gets a mail has not asked for it. So they are counted by who asks and by whom it reaches,
//! and each counter lets a first few through at once, then one whenever it has forgotten one.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, millis};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;

/// What leaves the platform because a client asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outgoing {
    /// A checkout, or a move up, at Stripe: `POST /subscription/checkout`, `POST /user/upgrade-subscription`.
    Checkout,
    /// Another change of the subscription at Stripe: `PATCH /subscription`.
    PlanChange,
    /// A session of the customer portal: `POST /subscription/portal`.
    Portal,
    /// A page of invoices, read at Stripe: `GET /subscription/invoices`.
    Invoices,
    /// A mail that invites to a team: `POST /team/invites`.
    Invitation,
    /// A new account, with its mail and the look at breached passwords: `POST /auth/register`.
    Registration,
    /// A mail with a link that its reader asked for: `POST /auth/forgot-password`, `POST /auth/verify-email/resend`.
    LinkMail,
    /// A sign-in through another party that begins: `GET /auth/oauth/{provider}/start`, `GET /auth/sso/start`.
    SignInElsewhere,
    /// The discovery of a team's identity provider: `PUT /team/sso`.
    ProviderSettings,
    /// A look at a domain's records: `POST /team/sso/domains/{domain}/verify`.
    DomainLookup,
    /// A change to how somebody signs in, which is told by mail: `POST /auth/password`, `POST /auth/totp/confirm`,
    /// `POST /auth/totp/disable`.
    CredentialChange,
}

/// Whose counter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountedBy {
    /// The tenant for whom it is done.
    Tenant,
    /// The user who asks.
    User,
    /// The address on the internet that asks: an IPv4 address, or the /64 of an IPv6 one.
    Network,
    /// The block around it, an IPv4 /24 or an IPv6 /48: what one customer of a hosting company is easily given.
    Block,
    /// Whom it reaches: a mailbox, or a domain.
    Target,
}

/// How many at once, and how soon the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Whose counter it is.
    pub by: CountedBy,
    /// How many are let through at once.
    pub free: u32,
    /// One is forgotten after each of these, in milliseconds.
    pub forget_one_ms: i64,
}

const fn rate(by: CountedBy, free: u32, forget_one_ms: i64) -> Rate {
    Rate { by, free, forget_one_ms }
}

impl Outgoing {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Checkout,
        Self::PlanChange,
        Self::Portal,
        Self::Invoices,
        Self::Invitation,
        Self::Registration,
        Self::LinkMail,
        Self::SignInElsewhere,
        Self::ProviderSettings,
        Self::DomainLookup,
        Self::CredentialChange,
    ];

    /// Its name, in the names of counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::PlanChange => "plan_change",
            Self::Portal => "portal",
            Self::Invoices => "invoices",
            Self::Invitation => "invitation",
            Self::Registration => "registration",
            Self::LinkMail => "link_mail",
            Self::SignInElsewhere => "sign_in_elsewhere",
            Self::ProviderSettings => "provider_settings",
            Self::DomainLookup => "domain_lookup",
            Self::CredentialChange => "credential_change",
        }
    }

    /// What there were too many of, as the refusal says it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Checkout => "checkouts",
            Self::PlanChange => "changes of the plan",
            Self::Portal => "sessions of the portal",
            Self::Invoices => "looks at the invoices",
            Self::Invitation => "invitations",
            Self::Registration => "new accounts",
            Self::LinkMail => "mails",
            Self::SignInElsewhere => "sign-ins",
            Self::ProviderSettings => "changes of the provider",
            Self::DomainLookup => "looks at the domain",
            Self::CredentialChange => "changes of how you sign in",
        }
    }

    /// Its rates, in the order in which they are asked.
    pub const fn rates(self) -> &'static [Rate] {
        use CountedBy::{Block, Network, Target, Tenant, User};
        match self {
            // Somebody who compares plans opens a handful; a double click is one, it gets the same address again.
            Self::Checkout | Self::PlanChange | Self::Portal => const { &[rate(Tenant, 30, MINUTE_MS)] },
            // A dashboard reads them with each visit, and pages through years.
            Self::Invoices => const { &[rate(Tenant, 60, 5 * SECOND_MS)] },
            // A team is invited in one go. One mailbox is nobody's to fill: a second and a third mail is a reminder.
            Self::Invitation => const { &[rate(Target, 5, 60 * MINUTE_MS), rate(Tenant, 100, MINUTE_MS)] },
            // An office or a class registers together, from one address. Accounts by the hundred do not.
            Self::Registration => {
                const {
                    &[
                        rate(Network, 30, 2 * MINUTE_MS),
                        rate(Block, 120, MINUTE_MS / 2),
                        rate(Target, 12, 60 * MINUTE_MS),
                    ]
                }
            }
            Self::LinkMail => const { &[rate(Network, 11, 10 * MINUTE_MS), rate(Target, 11, 10 * MINUTE_MS)] },
            // A company of some hundreds signs in when its Monday begins.
            Self::SignInElsewhere => const { &[rate(Network, 60, 10 * SECOND_MS), rate(Target, 600, SECOND_MS / 2)] },
            Self::ProviderSettings => const { &[rate(Tenant, 10, MINUTE_MS), rate(Target, 20, MINUTE_MS)] },
            Self::DomainLookup => const { &[rate(Tenant, 20, MINUTE_MS / 2)] },
            Self::CredentialChange => const { &[rate(User, 20, 10 * MINUTE_MS)] },
        }
    }
}

impl CountedBy {
    /// Its name, in the names of counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Network => "network",
            Self::Block => "block",
            Self::Target => "target",
        }
    }
}

/// A counter with a [`Rate`]: a leaky bucket, kept as the instant at which it will be empty
/// (the generic cell rate algorithm, <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bucket {
    #[serde(with = "millis")]
    empty_at: Timestamp,
}

impl Bucket {
    /// Takes one, or says how many milliseconds there are to wait for it.
    ///
    /// # Errors
    /// The wait: at least 1, and never more than it takes to forget one, also after a clock was set back.
    pub fn take(self, free: u32, forget_one_ms: i64, now: Timestamp) -> Result<Self, i64> {
        let forget_one_ms = forget_one_ms.max(1);
        let room_ms = i64::from(free.max(1)).saturating_mul(forget_one_ms);
        // No fuller than full: what a clock that ran ahead has left behind does not last longer than it would have.
        let full_ms = self.empty_at.as_millis().saturating_sub(now.as_millis()).clamp(0, room_ms);
        let after_ms = full_ms + forget_one_ms;
        if after_ms > room_ms { Err(after_ms - room_ms) } else { Ok(Self { empty_at: now.plus_millis(after_ms) }) }
    }

    /// Whether nothing is left to remember.
    pub fn is_empty(self, now: Timestamp) -> bool {
        self.empty_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn a_few_at_once_then_one_whenever_one_is_forgotten() {
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            bucket = bucket.take(5, 60_000, at(0)).unwrap();
        }
        assert_eq!(bucket.take(5, 60_000, at(0)), Err(60_000));
        assert_eq!(bucket.take(5, 60_000, at(59_999)), Err(1));
        bucket = bucket.take(5, 60_000, at(60_000)).unwrap();
        assert_eq!(bucket.take(5, 60_000, at(60_000)), Err(60_000));
        assert!(!bucket.is_empty(at(359_999)) && bucket.is_empty(at(360_000)));
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_for_good() {
        let ahead = Bucket::default().take(2, 1_000, at(1_000_000_000_000)).unwrap();
        assert_eq!(ahead.take(2, 1_000, at(0)), Err(1_000));
        let full = Bucket { empty_at: at(2_000) };
        assert_eq!(full.take(2, 1_000, at(0)), Err(1_000), "what is full is as full as that");
    }

    proptest! {
        #[test]
        fn within_any_span_no_more_than_the_rate(
            free in 1_u32..20,
            forget in 1_i64..10_000,
            gaps in proptest::collection::vec(0_i64..5_000, 1..200),
        ) {
            let (mut bucket, mut now, mut taken) = (Bucket::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                match bucket.take(free, forget, at(now)) {
                    Ok(after) => { bucket = after; taken.push(now); }
                    Err(wait) => {
                        prop_assert!((1..=forget).contains(&wait));
                        prop_assert!(bucket.take(free, forget, at(now + wait)).is_ok(), "the wait is enough");
                        prop_assert!(wait == 1 || bucket.take(free, forget, at(now + wait - 1)).is_err(), "and no longer");
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (count, to) in taken[first..].iter().enumerate() {
                    let most = i64::from(free) + (to - from) / forget;
                    prop_assert!(i64::try_from(count).unwrap() < most + 1, "{} from {from} to {to}", count + 1);
                }
            }
        }
    }

    fn in_words(ms: i64) -> String {
        match ms {
            _ if ms % MINUTE_MS == 0 => format!("{} min", ms / MINUTE_MS),
            _ if ms % SECOND_MS == 0 => format!("{} s", ms / SECOND_MS),
            _ => format!("{ms} ms"),
        }
    }

    #[test]
    fn every_one_has_a_rate_and_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Outgoing::ALL.into_iter().map(Outgoing::as_str).collect();
        assert_eq!(names.len(), Outgoing::ALL.len());
        for what in Outgoing::ALL {
            let by: std::collections::HashSet<_> = what.rates().iter().map(|rate| rate.by).collect();
            assert!(!by.is_empty() && by.len() == what.rates().len(), "{what:?}");
            assert!(what.rates().iter().all(|rate| rate.free > 0 && rate.forget_one_ms > 0), "{what:?}");
        }
    }

    #[test]
    fn whatever_goes_to_a_mailbox_that_somebody_typed_is_counted_by_the_mailbox() {
        for what in [Outgoing::Invitation, Outgoing::Registration, Outgoing::LinkMail] {
            assert!(what.rates().iter().any(|rate| rate.by == CountedBy::Target && rate.free <= 12), "{what:?}");
        }
    }

    #[test]
    fn the_documents_say_the_same() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SECURITY.md")).unwrap();
        for what in Outgoing::ALL {
            let rates: Vec<_> = what
                .rates()
                .iter()
                .map(|rate| {
                    format!("{} by {}, then one in {}", rate.free, rate.by.as_str(), in_words(rate.forget_one_ms))
                })
                .collect();
            let row = format!("| {} | {} |", what.plural(), rates.join("; "));
            assert!(page.contains(&row), "docs/SECURITY.md lacks: {row}");
        }
    }
}
