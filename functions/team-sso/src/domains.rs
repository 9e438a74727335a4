//! `POST /team/sso/domains`, `POST /team/sso/domains/{domain}/verify`, `DELETE /team/sso/domains/{domain}`

use axum::extract::Path;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::StatusCode;
use tollgate_api::{
    FieldError,
    team::{DomainIn, DomainOut, RecordOut},
};
use tollgate_domain::{
    audit::Action,
    federation::{
        TeamDomain,
        domain_name::{proves, record_value},
    },
    outgoing_rates::Outgoing,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    exchange::{Question, ask, form},
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::OwnerOf,
    log, mailbox, random, settings,
    store::{
        StoreError, directory_federation,
        single_sign_on::{self, DomainRow},
    },
    team, trials,
};

use crate::settings::entry;

/// How many domains a team claims at most.
const MOST: usize = 20;

/// Claims a domain. It is the team's once the TXT record of the answer is set and `/verify` has found it.
#[utoipa::path(post, path = "/team/sso/domains", operation_id = "claim_domain", tag = "team", security(("bearer" = [])), request_body = DomainIn, responses(
    (status = 201, body = DomainOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden` or `plan_lacks_feature`"),
    (status = 409, body = Problem, description = "`conflict`: there are twenty"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn claim(scope: Scope, owner: OwnerOf, Json(input): Json<DomainIn>) -> Result<Reply, Problem> {
    team::require_seats(&scope, &team::load(&scope, owner.tenant).await?)?;
    let domain = TeamDomain::parse(&mailbox::ascii_domain(&input.domain))
        .map_err(|error| Problem::invalid(vec![FieldError::new("domain", error.to_string())]))?;
    if single_sign_on::sso_domains(&scope, owner.tenant).await?.len() >= MOST {
        return Err(Problem::new(Code::Conflict, format!("A team claims at most {MOST} domains; give one up first.")));
    }
    let token = Base64UrlUnpadded::encode_string(&random::bytes::<24>()?);
    if single_sign_on::claim_domain(&scope, owner.tenant, domain.as_str(), &token).await? {
        let entry = entry(&scope, &owner, Action::DomainClaim).with("domain", domain.as_str());
        audit::record(&scope, owner.tenant, &entry).await;
    }
    let row = known(&scope, &owner, &domain).await?;
    Ok(Reply::json(StatusCode::CREATED, &shown(&domain, &row)))
}

/// Looks the record of a claimed domain up. A domain belongs to one team at a time. Once it is proven, whoever registers with an
/// address there begins without a trial of what the team has, also after the domain was given up.
#[utoipa::path(post, path = "/team/sso/domains/{domain}/verify", operation_id = "verify_domain", tag = "team", security(("bearer" = [])),
    params(("domain" = String, Path)), responses(
    (status = 200, body = DomainOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`domain_not_proven` or `domain_taken`"), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn verify(scope: Scope, owner: OwnerOf, Path(domain): Path<String>) -> Result<Reply, Problem> {
    let domain = TeamDomain::parse(&mailbox::ascii_domain(&domain)).map_err(|_| unknown())?;
    let row = known(&scope, &owner, &domain).await?;
    if row.verified_at.is_none() {
        guard::admit(&scope, Outgoing::DomainLookup, Asking::of_tenant(owner.tenant)).await?;
        if !is_proven(&scope, &domain, &row.token).await? {
            let (name, value) = (domain.record_name(), record_value(&row.token));
            return Err(Problem::new(
                Code::DomainNotProven,
                format!("There is no TXT record {name} with the text {value}. It may take a while to be seen."),
            ));
        }
        let taken = || Problem::new(Code::DomainTaken, "Another team has proven that this domain is its own.");
        // On its own shard the database says so, on the others this look does.
        if directory_federation::domain_tenant(&scope, domain.as_str()).await?.is_some() {
            return Err(taken());
        }
        match single_sign_on::domain_proven(&scope, owner.tenant, domain.as_str(), scope.now()).await {
            Ok(_) => {}
            Err(StoreError::Taken(_)) => return Err(taken()),
            Err(error) => return Err(error.into()),
        }
        let entry = entry(&scope, &owner, Action::DomainVerify).with("domain", domain.as_str());
        audit::record(&scope, owner.tenant, &entry).await;
    }
    // Also when it was proven before: should this have failed then, it is made up for now.
    trials::note_domain(&scope, owner.tenant, domain.as_str()).await?;
    let row = known(&scope, &owner, &domain).await?;
    Ok(Reply::json(StatusCode::OK, &shown(&domain, &row)))
}

/// Gives a domain up: its addresses sign in through the team's provider no more.
#[utoipa::path(delete, path = "/team/sso/domains/{domain}", operation_id = "give_domain_up", tag = "team", security(("bearer" = [])),
    params(("domain" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn give_up(scope: Scope, owner: OwnerOf, Path(domain): Path<String>) -> Result<Reply, Problem> {
    let domain = TeamDomain::parse(&mailbox::ascii_domain(&domain)).map_err(|_| unknown())?;
    if !single_sign_on::give_domain_up(&scope, owner.tenant, domain.as_str()).await? {
        return Err(unknown());
    }
    let entry = entry(&scope, &owner, Action::DomainRemove).with("domain", domain.as_str());
    audit::record(&scope, owner.tenant, &entry).await;
    Ok(no_content())
}

fn unknown() -> Problem {
    Problem::not_found("domain")
}

async fn known(scope: &Scope, owner: &OwnerOf, domain: &TeamDomain) -> Result<DomainRow, Problem> {
    let rows = single_sign_on::sso_domains(scope, owner.tenant).await?;
    rows.into_iter().find(|row| row.domain == domain.as_str()).ok_or_else(unknown)
}

/// A domain as it is answered.
pub fn shown(domain: &TeamDomain, row: &DomainRow) -> DomainOut {
    DomainOut {
        domain: domain.to_string(),
        verified_at: row.verified_at.map(Timestamp::from_millis),
        record: RecordOut { name: domain.record_name(), kind: "TXT", value: record_value(&row.token) },
    }
}

/// Asks a resolver over HTTPS.
async fn is_proven(scope: &Scope, domain: &TeamDomain, token: &str) -> Result<bool, Problem> {
    let resolver = settings::text(scope.env(), "DOH_BASE_URL");
    let resolver = resolver.as_deref().unwrap_or("https://cloudflare-dns.com/dns-query");
    let url = format!("{resolver}?{}", form(&[("name", &domain.record_name()), ("type", "TXT")]));
    let failed = |why: &str| {
        log::error("sso", &format!("{resolver}: {why}"), Some(scope));
        Problem::dependency("DNS resolver")
    };
    let question = Question { url: &url, headers: &[("accept", "application/dns-json")], form: None };
    match ask(scope, &question).await {
        Ok((200, body)) => proves(&body, token).ok_or_else(|| failed("gave no answer")),
        Ok((status, _)) => Err(failed(&format!("answered {status}"))),
        Err(error) => Err(failed(&error.to_string())),
    }
}
