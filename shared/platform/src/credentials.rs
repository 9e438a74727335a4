//! What `auth` asks `credentials`, over the service binding `CREDENTIALS`: `auth` has neither the vault nor room for it.
//!
//! The address is [`PATH`], and the gateway does not lead there.

use serde::{Deserialize, Serialize};
use tollgate_api::{FieldError, Problem, Validate};
use tollgate_domain::{
    account::WeakPassword,
    id::{TenantId, UserId},
};

use crate::{Scope, log, service};

/// Where `credentials` is asked.
pub const PATH: &str = "/internal/credentials";

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Is this a good code of the user's? It is used up by the question.
    SecondFactor {
        /// The tenant.
        tenant: TenantId,
        /// The user.
        user: UserId,
        /// What was typed: a one-time password or a recovery code.
        code: String,
    },
    /// Was this password seen in a breach?
    Breached {
        /// The password.
        password: String,
    },
}

impl Validate for Question {}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// Yes or no.
    pub yes: bool,
}

async fn ask(scope: &Scope, question: &Question) -> Result<bool, Problem> {
    let failed = |why: &str| {
        log::error("credentials", why, Some(scope));
        Problem::dependency("credentials")
    };
    let body = serde_json::to_string(question).map_err(|_| Problem::internal())?;
    let answer = service::post(scope, "CREDENTIALS", PATH, &body).await;
    let (status, body) = answer.map_err(|error| failed(&format!("{error:?}")))?;
    if status != 200 {
        return Err(failed(&format!("answered {status}")));
    }
    serde_json::from_slice(&body).map(|verdict: Verdict| verdict.yes).map_err(|_| failed("answered no verdict"))
}

/// Whether a code is a good one of a user's. A good one is used up.
///
/// # Errors
/// 503 when `credentials` cannot say: nobody is let in without an answer.
pub async fn second_factor(scope: &Scope, tenant: TenantId, user: UserId, code: String) -> Result<bool, Problem> {
    ask(scope, &Question::SecondFactor { tenant, user, code }).await
}

/// Refuses a password that was seen in a breach. When nobody can say, it is taken: the list that is shipped was looked at before.
///
/// # Errors
/// 422 with the field.
pub async fn check_not_breached(scope: &Scope, field: &str, password: &str) -> Result<(), Problem> {
    let found = ask(scope, &Question::Breached { password: password.to_owned() }).await.unwrap_or(false);
    if found { Err(breached(field)) } else { Ok(()) }
}

/// The refusal of a password that was seen in a breach.
pub fn breached(field: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(field, WeakPassword::Breached.to_string())])
}
