//! An answer in one piece.

use http::StatusCode;
use tollgate_platform::{Problem, http::Reply};
use tollgate_providers::{Completion, decode_completion, price};

use crate::{admission::Finished, ask::Question, failure};

/// Asks the provider, settles what it took, and passes its answer on. Nothing is charged when it fails.
pub async fn answer(question: &Question<'_>) -> Result<Reply, Problem> {
    let Question { scope, hold, model, .. } = *question;
    let Completion { body, usage } = match hold.carry_out(scope, complete(question)).await {
        Ok(completion) => completion,
        Err(problem) => {
            hold.release(scope, &problem);
            return Err(problem);
        }
    };
    let answer = hold.key.is_some().then(|| (200, "application/json", body.clone()));
    hold.settle(scope, model, Finished { usage, outcome: "completed", answer });
    let reply = hold.with_remaining(Reply::bytes(StatusCode::OK, "application/json", body), Some(&usage));
    Ok(match price::cost_microusd(model, &usage, scope.now().as_seconds()) {
        Some(cost) => reply.with("x-tollgate-cost-microusd", &cost.to_string()),
        None => reply,
    })
}

async fn complete(question: &Question<'_>) -> Result<Completion, Problem> {
    let answer = question.ask().await?;
    let body = question.read(&answer).await?;
    let retry_after = if answer.status() == 200 { None } else { answer.retry_after() };
    let (request, model) = (question.request, question.model);
    decode_completion(request, model, answer.status(), retry_after.as_deref(), &body, &question.meta())
        .map_err(|error| failure::refused(question.scope, &error))
}
