//! `GET /user/notifications/unsubscribe`, `POST /user/notifications/unsubscribe`: the link in mails, without a sign-in.

use http::StatusCode;
use serde::Deserialize;
use tollgate_domain::mail::{Category, Unsubscribe};
use tollgate_platform::{
    Problem, Scope,
    http::{OpenQuery, Reply},
    store::notifications,
};

/// What the link says.
#[derive(Debug, Deserialize)]
pub struct Link {
    #[serde(default)]
    token: String,
}

/// A page that asks whether mails of this kind are to stop. Looking at it changes nothing: programs that look at every link of
/// a mail switch nothing off.
#[utoipa::path(get, path = "/user/notifications/unsubscribe", operation_id = "unsubscribe_page", tag = "accounts",
    params(("token" = String, Query, description = "From the link in a mail")),
    responses((status = 200, description = "A page with a button", content_type = "text/html", body = String), (status = 404, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn page(scope: Scope, OpenQuery(link): OpenQuery<Link>) -> Result<Reply, Problem> {
    let said = proven(&scope, &link.token).await?;
    let form = format!(
        "<p>No more mails of this kind: {}?</p><form method=\"post\"><button>Stop them</button></form>",
        in_words(said.category)
    );
    Ok(html(&form))
}

/// Switches mails of one kind off: one click in the reader's mail program (RFC 8058). Doing it again changes nothing.
#[utoipa::path(post, path = "/user/notifications/unsubscribe", operation_id = "unsubscribe", tag = "accounts",
    params(("token" = String, Query, description = "From the link in a mail")),
    responses((status = 200, description = "A page that says so", content_type = "text/html", body = String), (status = 404, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn unsubscribe(scope: Scope, OpenQuery(link): OpenQuery<Link>) -> Result<Reply, Problem> {
    let said = proven(&scope, &link.token).await?;
    notifications::switch_off(&scope, said.tenant, said.user, said.category).await?;
    Ok(html(&format!("<p>You get no more mails of this kind: {}.</p>", in_words(said.category))))
}

/// The same answer for a link that was not signed here, and for one of somebody who is gone.
async fn proven(scope: &Scope, token: &str) -> Result<Unsubscribe, Problem> {
    let nothing = || Problem::not_found("link");
    let read = Unsubscribe::read(token).ok_or_else(nothing)?;
    let (tenant, user) = read.whose();
    let key = notifications::key(scope, tenant, user).await?.unwrap_or_default();
    read.proven(&key).ok_or_else(nothing)
}

const fn in_words(category: Category) -> &'static str {
    match category {
        Category::Reminders => "reminders of a trial's end",
        Category::QuotaWarnings => "warnings that a limit is near",
        Category::Summary => "monthly summaries",
    }
}

fn html(body: &str) -> Reply {
    let page = format!("<!doctype html><html lang=\"en\"><title>Mails</title><body>{body}</body></html>");
    Reply::bytes(StatusCode::OK, "text/html; charset=utf-8", page)
        .with("content-security-policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
        .with("referrer-policy", "no-referrer")
        .with("cache-control", "no-store")
}
