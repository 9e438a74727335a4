//! One entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::Action;
use crate::id::{ApiKeyId, RequestId, UserId};

/// The longest text of somebody else's making that is kept, in bytes: a device's name, a detail.
const MAX_TEXT_BYTES: usize = 300;

/// The most details of an entry.
const MAX_DETAILS: usize = 8;

/// The longest body. A character takes six bytes at most in JSON (`\u0000`).
pub const MAX_BODY_BYTES: usize = 6 * MAX_TEXT_BYTES * (2 * MAX_DETAILS + 5);

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody signed in.
    User {
        /// Who.
        id: UserId,
    },
    /// A program with a key.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// Whose key it is.
        user: UserId,
    },
    /// Nobody that is known: a sign-in that failed.
    Anonymous,
    /// The platform itself: a webhook of the payment provider, a schedule.
    System {
        /// The function: `stripe-webhook`, `cron`.
        function: String,
    },
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `user`, `session`, `api_key`, `invitation`, `subscription`, ...
    pub kind: String,
    /// Its id; for a sign-in to no account, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// What the device calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// Whether it worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused: wrong password, role, scope.
    Denied,
    /// It was allowed and did not work.
    Failed,
}

/// An entry of the audit log. When it was is stored beside it, as a column, and hashed with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who.
    pub actor: Actor,
    /// Did what.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// From where.
    pub source: Source,
    /// Whether it worked.
    pub outcome: Outcome,
    /// What else is to be known, from and to of a change for example. No secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
}

impl Entry {
    /// An entry without details. Texts of somebody else's making are cut to 300 bytes.
    pub fn new(actor: Actor, action: Action, target: Target, source: Source, outcome: Outcome) -> Self {
        let actor = match actor {
            Actor::System { function } => Actor::System { function: cut(function) },
            other => other,
        };
        let target = Target { kind: cut(target.kind), id: target.id.map(cut) };
        let source =
            Source { ip: source.ip.map(cut), user_agent: source.user_agent.map(cut), request_id: source.request_id };
        Self { actor, action, target, source, outcome, details: BTreeMap::new() }
    }

    /// Adds a detail, cut to 300 bytes; those after the eighth are left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if self.details.len() < MAX_DETAILS || self.details.contains_key(name) {
            self.details.insert(cut(name.to_owned()), cut(value.to_owned()));
        }
        self
    }

    /// What else is known.
    pub const fn details(&self) -> &BTreeMap<String, String> {
        &self.details
    }

    /// The body that is hashed and stored. `None` never happens for an entry that [`Entry::new`] made: there is nothing in
    /// it that JSON cannot say.
    pub fn to_body(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Reads a stored body; `None` for one that this release does not know how to read.
    pub fn from_body(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

fn cut(mut text: String) -> String {
    let end = (0..=MAX_TEXT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target() -> Target {
        Target { kind: "user".into(), id: Some("usr_x".into()) }
    }

    #[test]
    fn the_body_is_pinned() {
        let entry = Entry::new(
            Actor::User { id: UserId::from_bytes([1; 16]) },
            Action::TeamRoleChange,
            target(),
            Source { ip: Some("192.0.2.1".into()), ..Source::default() },
            Outcome::Success,
        )
        .with("from", "member")
        .with("to", "admin");
        let body = entry.to_body().unwrap();
        assert_eq!(
            body,
            r#"{"actor":{"kind":"user","id":"usr_01010101-0101-0101-0101-010101010101"},"action":"team.role_change","target":{"kind":"user","id":"usr_x"},"source":{"ip":"192.0.2.1"},"outcome":"success","details":{"from":"member","to":"admin"}}"#
        );
        assert_eq!(Entry::from_body(&body), Some(entry));
    }

    #[test]
    fn an_action_of_another_release_is_not_read_and_nothing_panics() {
        let body = r#"{"actor":{"kind":"anonymous"},"action":"future.thing","target":{"kind":"user"},"source":{},"outcome":"denied"}"#;
        assert_eq!(Entry::from_body(body), None);
        assert!(Entry::from_body(&body.replace("future.thing", "account.sign_in")).is_some());
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_the_body_is_bounded_and_reads_back(
            ip: String, agent in "\\PC{0,400}|[\\x00-\\x1f]{0,400}", kind: String, details in proptest::collection::vec((".{0,400}", "[\\x00-\\x1f]{0,400}"), 0..20),
        ) {
            let source = Source { ip: Some(ip), user_agent: Some(agent), request_id: None };
            let mut entry = Entry::new(Actor::Anonymous, Action::SignIn, Target { kind, id: None }, source, Outcome::Denied);
            for (name, value) in details {
                entry = entry.with(&name, &value);
            }
            let body = entry.to_body().unwrap();
            prop_assert!(body.len() <= MAX_BODY_BYTES);
            prop_assert!(entry.details().len() <= MAX_DETAILS);
            prop_assert_eq!(Entry::from_body(&body), Some(entry));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Entry::from_body(&text);
        }
    }
}
