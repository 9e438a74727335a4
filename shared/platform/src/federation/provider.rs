//! A party that is asked who somebody is.

use tollgate_api::{Code, Problem};
use tollgate_domain::{account::Email, federation::Reach};

use crate::{Scope, log};

/// Who signed in, as the provider says.
#[derive(Debug)]
pub struct Identified {
    /// The issuer that says so.
    pub issuer: String,
    /// Who, there, for good.
    pub subject: String,
    /// Their address.
    pub email: Option<Email>,
    /// Whether it is said to be theirs; `None` where nothing is said.
    pub email_verified: Option<bool>,
    /// How to address the person.
    pub name: Option<String>,
}

/// A party that is asked who somebody is.
#[derive(Debug)]
pub struct Provider {
    /// Whose word it is: `google`, `github`, `oidc`, or a tenant's id.
    pub realm: String,
    /// How problems and the log call it.
    pub name: &'static str,
    /// Who we are there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
}

/// How far this environment may call.
pub fn reach(scope: &Scope) -> Reach {
    if scope.settings().is_local() { Reach::Anywhere } else { Reach::Internet }
}

impl Provider {
    /// It cannot be reached, or does not answer what it should.
    pub fn failed(&self, scope: &Scope, why: &str) -> Problem {
        log::error("federation", &format!("{}: {why}", self.realm), Some(scope));
        Problem::dependency(self.name)
    }
}

/// A sign-in that is not good, with what is wrong about it.
pub fn refused(why: &impl ToString) -> Problem {
    let text = why.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    Problem::new(Code::SignInRefused, format!("{first}{}. Begin the sign-in again.", letters.as_str()))
}
