//! `POST /internal/credentials`, for `auth` over its service binding. The gateway does not lead here, and nothing else has an
//! address: who asks has looked at the password, and has counted the attempt.

use http::StatusCode;
use tollgate_platform::{
    Problem, Scope,
    credentials::{Question, Verdict},
    http::{Json, Reply},
};

use crate::{breached, second_factor};

/// Answers a question.
#[worker::send]
pub async fn answer(scope: Scope, Json(question): Json<Question>) -> Result<Reply, Problem> {
    let yes = match question {
        Question::SecondFactor { tenant, user, code } => {
            second_factor::use_up(&scope, tenant, user, &code).await?.is_some()
        }
        Question::Breached { password } => breached::was_seen(&scope, &password).await,
    };
    Ok(Reply::json(StatusCode::OK, &Verdict { yes }))
}
