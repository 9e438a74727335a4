//! `GET /__dev/outbox`, local only: the mails that were sent, newest first.

use http::StatusCode;
use serde::Serialize;
use tollgate_platform::{Problem, Scope, http::Reply, mail::Mail, store::directory};

/// How many are shown.
const SHOWN: u32 = 200;

#[derive(Serialize)]
struct Outbox {
    data: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    to: String,
    kind: String,
    subject: String,
    text: String,
    links: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<String>,
}

/// Answers what was sent.
#[worker::send]
pub async fn outbox(scope: Scope) -> Result<Reply, Problem> {
    if !scope.settings().is_local() {
        return Err(Problem::not_found("address"));
    }
    let bodies = directory::outbox(&scope, SHOWN).await?;
    let data = bodies
        .iter()
        .filter_map(|body| serde_json::from_str::<Mail>(body).ok())
        .map(|Mail { to, kind, subject, text, links, unsubscribe, .. }| Sent {
            to,
            kind,
            subject,
            text,
            links,
            unsubscribe,
        })
        .collect();
    Ok(Reply::json(StatusCode::OK, &Outbox { data }))
}
