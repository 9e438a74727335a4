//! What an API key may do.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Chat completions, models.
    Chat,
    /// Stored conversations.
    Conversations,
    /// Quotas, summaries, logs, exports.
    Usage,
    /// The Notion agent.
    Agent,
    /// Its tasks.
    Tasks,
    /// The clean-up of mailboxes.
    Gmail,
    /// Agent workflows.
    Workflows,
    /// Members, invitations.
    Team,
    /// Plans, checkout, invoices.
    Billing,
    /// Profile, configuration, keys, sessions.
    Account,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Chat,
        Self::Conversations,
        Self::Usage,
        Self::Agent,
        Self::Tasks,
        Self::Gmail,
        Self::Workflows,
        Self::Team,
        Self::Billing,
        Self::Account,
    ];

    /// Its name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Conversations => "conversations",
            Self::Usage => "usage",
            Self::Agent => "agent",
            Self::Tasks => "tasks",
            Self::Gmail => "gmail",
            Self::Workflows => "workflows",
            Self::Team => "team",
            Self::Billing => "billing",
            Self::Account => "account",
        }
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reading: `:read`.
    Read,
    /// Reading and changing.
    Full,
}

/// A scope: `chat`, `chat:read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Which part of the API.
    pub resource: Resource,
    /// How much of it.
    pub access: Access,
}

impl Scope {
    const READ: &'static str = ":read";

    /// Reading and changing.
    pub const fn full(resource: Resource) -> Self {
        Self { resource, access: Access::Full }
    }

    /// Reading only.
    pub const fn read(resource: Resource) -> Self {
        Self { resource, access: Access::Read }
    }

    /// All twenty.
    pub fn all() -> impl Iterator<Item = Self> {
        Resource::ALL.into_iter().flat_map(|resource| [Self::full(resource), Self::read(resource)])
    }

    /// Whether holding this scope is enough for what needs `needed`.
    pub fn allows(self, needed: Self) -> bool {
        self.resource == needed.resource && self.access >= needed.access
    }

    /// The scope of that name, in exactly this spelling.
    pub fn parse(name: &str) -> Option<Self> {
        let (resource, access) = match name.strip_suffix(Self::READ) {
            Some(resource) => (resource, Access::Read),
            None => (name, Access::Full),
        };
        let resource = Resource::ALL.into_iter().find(|known| known.as_str() == resource)?;
        Some(Self { resource, access })
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom("no scope of this release"))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource.as_str())?;
        if self.access == Access::Read { f.write_str(Self::READ) } else { Ok(()) }
    }
}

/// The scopes of a key: at least one. A scope that another one includes is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    full: u32,
    read: u32,
}

/// Why a list of scopes is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScopes {
    /// A key that may do nothing.
    #[error("must name at least one scope")]
    Empty,
    /// No scope has this name.
    #[error("there is no scope \"{0}\"")]
    Unknown(String),
}

impl Scopes {
    /// Everything there is.
    pub fn everything() -> Self {
        Self { full: Resource::ALL.into_iter().fold(0, |bits, resource| bits | resource.bit()), read: 0 }
    }

    /// The scopes of these names, in any order.
    ///
    /// # Errors
    /// [`InvalidScopes`] for an empty list and for the first unknown name.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScopes> {
        let (mut full, mut read) = (0, 0);
        for name in names {
            let scope = Scope::parse(name).ok_or_else(|| InvalidScopes::Unknown(name.to_owned()))?;
            let bits = if scope.access == Access::Full { &mut full } else { &mut read };
            *bits |= scope.resource.bit();
        }
        if full | read == 0 {
            return Err(InvalidScopes::Empty);
        }
        Ok(Self { full, read: read & !full })
    }

    /// The stored form: names with a blank between them (RFC 6749, section 3.3).
    ///
    /// # Errors
    /// As [`Scopes::parse`].
    pub fn parse_stored(text: &str) -> Result<Self, InvalidScopes> {
        Self::parse(text.split(' ').filter(|name| !name.is_empty()))
    }

    /// Each scope, in the order of [`Resource`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::all().filter(move |scope| {
            let bits = if scope.access == Access::Full { self.full } else { self.read };
            bits & scope.resource.bit() != 0
        })
    }

    /// Whether one of them is enough for what needs `needed`.
    pub fn allow(self, needed: Scope) -> bool {
        self.iter().any(|scope| scope.allows(needed))
    }

    /// Whether each of `others` is allowed: who makes a key with a key cannot give it more than they have.
    pub fn include(self, others: Self) -> bool {
        others.iter().all(|scope| self.allow(scope))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{scope}")?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|scope| scope.to_string()))
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::parse(names.iter().map(String::as_str)).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_names_are_the_contract_s() {
        let names: Vec<_> = Scope::all().map(|scope| scope.to_string()).collect();
        assert_eq!(
            names.join(" "),
            "chat chat:read conversations conversations:read usage usage:read agent agent:read tasks tasks:read gmail gmail:read \
             workflows workflows:read team team:read billing billing:read account account:read"
        );
        assert!(Scope::all().all(|scope| Scope::parse(&scope.to_string()) == Some(scope)));
        assert!(
            Scope::all().all(|scope| {
                serde_json::from_str::<Scope>(&serde_json::to_string(&scope).unwrap()).unwrap() == scope
            })
        );
    }

    #[test]
    fn other_spellings_are_unknown() {
        for name in ["", "Chat", "chat:write", "chat:read:read", " chat", "chat ", ":read", "*", "chat:READ"] {
            assert_eq!(Scope::parse(name), None, "{name}");
        }
        assert_eq!(Scopes::parse([]), Err(InvalidScopes::Empty));
        assert_eq!(Scopes::parse(["chat", "root"]), Err(InvalidScopes::Unknown("root".into())));
    }

    #[test]
    fn reading_is_part_of_everything_and_nothing_more() {
        let (chat, read, usage) =
            (Scope::full(Resource::Chat), Scope::read(Resource::Chat), Scope::full(Resource::Usage));
        assert!(chat.allows(chat) && chat.allows(read) && read.allows(read));
        assert!(!read.allows(chat) && !chat.allows(usage) && !read.allows(Scope::read(Resource::Usage)));
    }

    #[test]
    fn a_scope_that_is_included_is_left_out() {
        let scopes = Scopes::parse(["usage:read", "chat:read", "chat"]).unwrap();
        assert_eq!(scopes.to_string(), "chat usage:read");
        assert_eq!(serde_json::to_string(&scopes).unwrap(), r#"["chat","usage:read"]"#);
        assert_eq!(serde_json::from_str::<Scopes>(r#"["chat","usage:read"]"#).unwrap(), scopes);
        assert!(Scopes::everything().include(scopes) && !scopes.include(Scopes::everything()));
    }

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        proptest::sample::subsequence(Scope::all().collect::<Vec<_>>(), 1..=20).prop_map(|chosen| {
            let names: Vec<_> = chosen.iter().map(ToString::to_string).collect();
            Scopes::parse(names.iter().map(String::as_str)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn the_stored_form_round_trips(scopes in any_scopes()) {
            prop_assert_eq!(Scopes::parse_stored(&scopes.to_string()), Ok(scopes));
        }

        #[test]
        fn what_is_included_allows_no_more(mine in any_scopes(), theirs in any_scopes()) {
            let more = Scope::all().any(|scope| theirs.allow(scope) && !mine.allow(scope));
            prop_assert_eq!(mine.include(theirs), !more);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Scopes::parse_stored(&text);
        }
    }
}
