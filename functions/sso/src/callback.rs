//! `GET /auth/sso/callback`

use tollgate_api::account::SignedInOut;
use tollgate_domain::{
    account::{Email, NO_PASSWORD},
    federation::TeamDomain,
    id::TenantId,
};
use tollgate_platform::{
    Code, Problem, Scope,
    federation::{
        Admitted, Answer, Identified, Provider, finish, known, link, new_identity, openid, refused, taken,
        team_provider::of_team,
    },
    http::{OpenQuery, Reply},
    store::directory_federation::{self, FlowRow, HolderRow},
    team,
};

use crate::start::team_of;

/// How often it is decided anew when somebody else was faster.
const TRIES: u32 = 4;

/// Where a team's provider sends the browser back to. The address must be in a domain that the team has proven. A member signs
/// in. Somebody without an account becomes a member, while there are seats. Somebody who is alone in a tenant of their own, and
/// has confirmed the address, moves in as with an invitation. The provider's word counts in this team and nowhere else.
#[utoipa::path(get, path = "/auth/sso/callback", operation_id = "finish_sso", tag = "accounts",
    params(("state" = Option<String>, Query), ("code" = Option<String>, Query), ("iss" = Option<String>, Query), ("error" = Option<String>, Query)),
    responses(
        (status = 200, body = SignedInOut), (status = 201, body = SignedInOut, description = "The account was made just now"),
        (status = 303, description = "To `return_to`, with `code` or `error`"), (status = 400, body = Problem),
        (status = 401, body = Problem, description = "`sign_in_refused`"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`no_seat`, `leave_team_first` or `email_not_vouched_for`"), (status = 503, body = Problem),
    ))]
#[worker::send]
pub async fn callback(scope: Scope, OpenQuery(answer): OpenQuery<Answer>) -> Result<Reply, Problem> {
    let flow = taken(&scope, &answer).await?;
    let outcome = signed_in(&scope, &flow, &answer).await;
    finish(&scope, &flow, outcome).await
}

async fn signed_in(scope: &Scope, flow: &FlowRow, answer: &Answer) -> Result<Admitted, Problem> {
    // An answer for a provider of the platform's is a mix-up.
    let tenant: TenantId =
        flow.realm.parse().map_err(|_| refused(&"another provider answered than the one that was asked"))?;
    let (provider, issuer) = of_team(scope, tenant).await?;
    let person = openid::person(scope, &provider, &issuer, flow, &answer.callback()).await?;
    admit(scope, &provider, tenant, &person).await
}

async fn admit(scope: &Scope, provider: &Provider, tenant: TenantId, person: &Identified) -> Result<Admitted, Problem> {
    let email = vouched(scope, tenant, person).await?;
    for _ in 0..TRIES {
        if let Some(row) = known(scope, provider, person).await? {
            return member(row, tenant);
        }
        let Some(row) = directory_federation::holder(scope, email).await? else {
            let identity = new_identity(scope, provider, person)?;
            match team::provision(scope, tenant, email, person.name.as_deref(), identity).await? {
                Some(user) => {
                    let credential = NO_PASSWORD.to_owned();
                    return Ok(Admitted { tenant, user, credential, is_new: true });
                }
                None => continue,
            }
        };
        // Whoever made an account with this address and never confirmed it may be anybody.
        if row.email_verified == 0 {
            return Err(Problem::new(
                Code::EmailNotVouchedFor,
                "There is an account with this address that was never confirmed. Confirm it with POST /auth/forgot-password first.",
            ));
        }
        let account = Admitted::known(row.clone())?;
        if account.tenant != tenant {
            team::join_by_sign_on(scope, account.user, account.tenant, tenant).await?;
            continue;
        }
        if let Some(admitted) = link(scope, provider, person, row).await? {
            return Ok(admitted);
        }
    }
    Err(Problem::dependency("database"))
}

/// The address, if it is one that this team's provider may speak of.
async fn vouched<'p>(scope: &Scope, tenant: TenantId, person: &'p Identified) -> Result<&'p Email, Problem> {
    let email = person.email.as_ref().ok_or_else(|| refused(&"the provider did not tell an e-mail address"))?;
    // Many company directories say nothing of it: the domain is the team's own. A plain no counts.
    if person.email_verified == Some(false) {
        return Err(refused(&"the provider says that the address is not confirmed"));
    }
    let team = match TeamDomain::of(email) {
        Some(domain) => team_of(scope, &domain).await?,
        None => None,
    };
    if team == Some(tenant) { Ok(email) } else { Err(refused(&"the address is in no domain of this team's")) }
}

/// Whoever left the team, or was put out, comes back by an invitation and not by signing in.
fn member(row: HolderRow, tenant: TenantId) -> Result<Admitted, Problem> {
    let account = Admitted::known(row)?;
    if account.tenant == tenant {
        return Ok(account);
    }
    Err(Problem::new(Code::Forbidden, "You are not in this team any more. Ask an admin of it for an invitation."))
}
