//! Proofs within a session: an access token alone, which may be stolen, changes nothing here. Each attempt counts as one to sign
//! in, for the same account.

use tollgate_api::FieldError;
use tollgate_domain::account::{MAX_PASSWORD_CHARS, NO_PASSWORD};
use tollgate_platform::{
    Code, Problem, Scope,
    guard::Guard,
    http::Reply,
    identity::MemberOf,
    password,
    store::{self, PasswordRow},
};

use crate::second_factor;

/// A proof that was given.
#[derive(Debug)]
pub struct Proof {
    guard: Option<Guard>,
    /// The caller's sign-in name and stored hash.
    pub account: PasswordRow,
}

impl Proof {
    /// The caller's password, in a field of that name. An account without one (it signs in through another provider) has none to
    /// prove.
    ///
    /// # Errors
    /// 422 with the field; 429 after too many.
    pub async fn by_password(
        scope: &Scope,
        member: &MemberOf,
        field: &str,
        given: Option<&str>,
    ) -> Result<Self, Problem> {
        let account = account(scope, member).await?;
        if !has_password(&account) {
            return Ok(Self { guard: None, account });
        }
        let refused = |why: &str| Problem::invalid(vec![FieldError::new(field, why)]);
        let given = given.ok_or_else(|| refused("must be the account's password"))?;
        // Longer ones were never taken; hashing them would only cost.
        let length = password::normalized(given).chars().count();
        let given = if length <= MAX_PASSWORD_CHARS { given } else { "" };
        let mut guard = Guard::of(scope, &account.email);
        guard.admit(scope).await?;
        if !password::verify(given, &account.password_hash)? {
            return Err(refused("is not the account's password"));
        }
        Ok(Self { guard: Some(guard), account })
    }

    /// A code of the caller's second factor, in the field `code`. It is used up.
    ///
    /// # Errors
    /// 422 with the field; 409 when there is no second factor; 429 after too many.
    pub async fn by_code(scope: &Scope, member: &MemberOf, code: &str) -> Result<Self, Problem> {
        if second_factor::confirmed(scope, member.tenant, member.user).await?.is_none() {
            return Err(Problem::new(Code::Conflict, "The second factor is off."));
        }
        let counted = Self::counted(scope, member).await?;
        match second_factor::use_up(scope, member.tenant, member.user, code).await? {
            Some(_) => Ok(counted),
            None => Err(wrong_code()),
        }
    }

    /// An attempt that is counted; what it proves is for the caller to see.
    ///
    /// # Errors
    /// 429 after too many.
    pub async fn counted(scope: &Scope, member: &MemberOf) -> Result<Self, Problem> {
        let account = account(scope, member).await?;
        let mut guard = Guard::of(scope, &account.email);
        guard.admit(scope).await?;
        Ok(Self { guard: Some(guard), account })
    }

    /// It was no failure.
    pub async fn succeeded(self, scope: &Scope, reply: Reply) -> Result<Reply, Problem> {
        match self.guard {
            Some(mut guard) => guard.succeeded(scope, reply).await,
            None => Ok(reply),
        }
    }
}

/// Whether an account has a password.
pub fn has_password(account: &PasswordRow) -> bool {
    account.password_hash != NO_PASSWORD
}

/// The refusal of a code.
pub fn wrong_code() -> Problem {
    Problem::invalid(vec![FieldError::new("code", "is not one that is good now")])
}

async fn account(scope: &Scope, member: &MemberOf) -> Result<PasswordRow, Problem> {
    store::password(scope, member.tenant, member.user).await?.ok_or_else(Problem::internal)
}
