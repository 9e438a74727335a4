//! Changing teams: what [`Team::decide`](tollgate_domain::team::Team::decide) decides is stored, or decided again.

use tollgate_api::{Code, Problem};
use tollgate_domain::{
    audit::{Action, Outcome},
    catalogue::Product,
    id::{InvitationId, SessionId, Shard, TenantId, UserId},
    meter::{Entitlement, Limits},
    team::{Command, Event, Refusal},
    time::Timestamp,
};
use worker::Delay;

use crate::{
    Scope, audit,
    identity::{ACCESS_TOKEN_SECONDS, Caller, actor, api_key},
    log,
    meter::MeterClient,
    random,
    store::{
        self, StoreError,
        directory::{self, Joining, Leaving},
        teams::{self, Person, StoredTeam},
    },
};

/// How often a change is tried when others change the same team.
const TRIES: u32 = 8;

/// A team of the caller's.
///
/// # Errors
/// 404 where there is none, 503 when the database cannot be read.
pub async fn load(scope: &Scope, tenant: TenantId) -> Result<StoredTeam, Problem> {
    teams::team(scope, tenant, None).await?.ok_or_else(|| Problem::not_found("team"))
}

/// Decides a command of the caller's on the team of this moment and stores what follows; answers the team before it, and
/// what happened. Nobody joins this way: see [`join`].
///
/// # Errors
/// The refusal, or 503.
pub async fn change(
    scope: &Scope,
    (tenant, user): (TenantId, UserId),
    invitation: Option<InvitationId>,
    command: &Command,
) -> Result<(StoredTeam, Vec<Event>), Problem> {
    for _ in 0..TRIES {
        let stored = teams::team(scope, tenant, invitation).await?;
        let stored = stored.ok_or_else(|| Problem::not_found("team"))?;
        let events = stored.team.decide(user, command, scope.now()).map_err(refused)?;
        if events.is_empty() {
            return Ok((stored, events));
        }
        let gone = events.iter().find_map(|event| match event {
            Event::Removed { user } | Event::Left { user } => stored.person(*user).cloned(),
            _ => None,
        });
        let written = match &gone {
            Some(person) => leave(scope, &stored, person, &events).await,
            None => teams::commit(scope, &stored, &events).await.map_err(Trouble::from),
        };
        match written {
            Ok(()) => return Ok((stored, events)),
            Err(Trouble::Overtaken) => {}
            Err(Trouble::Problem(problem)) => return Err(*problem),
        }
    }
    Err(busy())
}

enum Trouble {
    /// Somebody else changed the team in the meantime.
    Overtaken,
    Problem(Box<Problem>),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(_) => Self::Overtaken,
            StoreError::Failed => Problem::from(error).into(),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

fn busy() -> Problem {
    Problem::dependency("database")
}

/// Why a command was refused, as the client sees it.
fn refused(refusal: Refusal) -> Problem {
    let sentence = |code: Code| {
        let text = refusal.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        Problem::new(code, format!("{first}{}.", letters.as_str()))
    };
    match refusal {
        Refusal::NotAMember => Problem::not_found("team"),
        Refusal::UnknownMember => Problem::not_found("member"),
        Refusal::UnknownInvitation => Problem::not_found("invitation"),
        Refusal::NotAllowed | Refusal::RoleTooHigh | Refusal::OtherAddress | Refusal::Oneself => {
            sentence(Code::Forbidden)
        }
        Refusal::LastOwner => sentence(Code::LastOwner),
        Refusal::InvitationClosed => sentence(Code::InvitationClosed),
        Refusal::AlreadyMember => Problem::new(Code::AlreadyInvited, "This address is in the team already."),
        Refusal::AlreadyInvited => {
            Problem::new(Code::AlreadyInvited, "This address has an invitation that can still be accepted.")
        }
        Refusal::NoSeat => sentence(Code::NoSeat),
    }
}

/// A member goes home, or into a tenant of their own where there is none. Sessions and keys die first: should a later
/// step fail, nothing has changed and the caller tries again.
async fn leave(scope: &Scope, team: &StoredTeam, person: &Person, events: &[Event]) -> Result<(), Trouble> {
    let (user, now) = (person.user, scope.now());
    let told = stop_sessions(scope, team.tenant, person, &[]).await?;
    api_key::revoke_all(scope, team.tenant, user).await?;
    let revoked: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::InvitationRevoked { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    let mut leaving = Leaving {
        user,
        to: TenantId::on_shard(now, random::entropy()?, Shard::FIRST),
        new_name: Some(person.name.as_deref().unwrap_or(person.email.as_str())),
        product: person.product,
        revoked: &revoked,
    };
    if let Some(home) = person.home
        && let Some(product) = teams::products(scope, home, user).await?.first()
    {
        leaving = Leaving { to: home, new_name: None, product: *product, ..leaving };
    }
    directory::leave_team(scope, team, &leaving).await?;
    // A sign-in that came in between opened a session that the transaction ended: its token is stopped, too.
    if stop_sessions(scope, team.tenant, person, &told).await.is_err() {
        log::error("team", "a session that was opened while its user left is not stopped in the meter", Some(scope));
    }
    for product in teams::products(scope, leaving.to, user).await.unwrap_or_default() {
        if let Some(entitlement) = entitlement(scope, leaving.to, user, product).await {
            push(scope, MeterClient::named(leaving.to, user, product), entitlement).await;
        }
    }
    Ok(())
}

/// Moves the caller, who is alone in its tenant, into the team that an invitation is for.
///
/// # Errors
/// Why not.
pub async fn join(
    scope: &Scope,
    caller: &Caller,
    (tenant, invitation): (TenantId, InvitationId),
    token_hash: tollgate_domain::secret_hash::SecretHash,
) -> Result<(), Problem> {
    let unknown = || Problem::not_found("invitation");
    if !store::shards(scope).any(|shard| shard == tenant.shard()) {
        return Err(unknown());
    }
    for _ in 0..TRIES {
        let home = load(scope, caller.tenant).await?;
        let person = home.person(caller.user).ok_or_else(unknown)?.clone();
        let team = teams::team(scope, tenant, Some(invitation)).await?.ok_or_else(unknown)?;
        let command = Command::Accept { id: invitation, token_hash, email: person.email.clone() };
        let events = team.team.decide(caller.user, &command, scope.now()).map_err(refused)?;
        let Some(Event::Joined { role, .. }) = events.first() else { return Err(Problem::internal()) };
        if home.people.len() > 1 {
            return Err(Problem::new(
                Code::LeaveTeamFirst,
                "You are in a team already. Leave it first, sign in again, and accept the invitation then.",
            ));
        }
        let told = stop_sessions(scope, home.tenant, &person, &[]).await?;
        api_key::revoke_all(scope, home.tenant, person.user).await?;
        let product = team.product.filter(|_| team.is_pooled()).unwrap_or(person.product);
        let joining = Joining { user: caller.user, role: *role, product, invitation };
        match directory::join_team(scope, &team, &home, joining).await {
            Ok(()) => {}
            Err(StoreError::Taken(_)) => continue,
            Err(error) => return Err(error.into()),
        }
        if stop_sessions(scope, home.tenant, &person, &told).await.is_err() {
            log::error(
                "team",
                "a session that was opened while its user moved is not stopped in the meter",
                Some(scope),
            );
        }
        tell_meters(scope, &home, &person, &team, product).await;
        let entry = |action, id: UserId| {
            audit::entry(scope, actor(caller), action, "user", Some(id.to_string()), Outcome::Success)
        };
        let joined = entry(Action::TeamJoin, caller.user)
            .with("role", role.as_str())
            .with("invitation", &invitation.to_string());
        audit::record(scope, tenant, &joined).await;
        let left = entry(Action::TeamLeave, caller.user).with("to", &tenant.to_string());
        audit::record(scope, home.tenant, &left).await;
        return Ok(());
    }
    Err(busy())
}

/// The new meter draws on the team's pool; the old ones have nothing to give while their user is away.
async fn tell_meters(scope: &Scope, home: &StoredTeam, person: &Person, team: &StoredTeam, product: Product) {
    if let Some(pooled) = entitlement(scope, team.tenant, person.user, product).await {
        push(scope, MeterClient::named(team.tenant, person.user, product), pooled).await;
    }
    for product in teams::products(scope, home.tenant, person.user).await.unwrap_or_default() {
        if let Some(plan) = entitlement(scope, home.tenant, person.user, product).await {
            let nothing = Entitlement { limits: Limits::default(), pooled: false, ..plan };
            push(scope, MeterClient::named(home.tenant, person.user, product), nothing).await;
        }
    }
}

/// What a user may use in a tenant, as its subscription says.
async fn entitlement(scope: &Scope, tenant: TenantId, user: UserId, product: Product) -> Option<Entitlement> {
    // No session asks: whether one stands is not looked at.
    let nobody = SessionId::from_bytes([0; 16]);
    let row = store::subscription(scope, tenant, user, product, nobody).await.ok().flatten()?;
    row.entitlement(product)
}

/// Tells a meter its plan: now, or in the background when it does not answer.
async fn push(scope: &Scope, meter: MeterClient, entitlement: Entitlement) {
    if meter.configure(scope, entitlement).await.is_ok() {
        return;
    }
    let background = scope.clone();
    scope.wait_until(async move {
        for pause_ms in [200, 1_000, 5_000] {
            Delay::from(core::time::Duration::from_millis(pause_ms)).await;
            if meter.configure(&background, entitlement).await.is_ok() {
                return;
            }
        }
        log::error("team", "a meter could not be told of a move", Some(&background));
    });
}

/// Stops in the meter every session that may have a living token; answers which.
async fn stop_sessions(
    scope: &Scope,
    tenant: TenantId,
    person: &Person,
    told: &[SessionId],
) -> Result<Vec<SessionId>, Problem> {
    const TOKEN_MS: i64 = (ACCESS_TOKEN_SECONDS + 60) * 1_000;
    let now: Timestamp = scope.now();
    let sessions = teams::recent_sessions(scope, tenant, person.user, now.plus_millis(-TOKEN_MS)).await?;
    let meter = MeterClient::named(tenant, person.user, person.product);
    for session in sessions.iter().filter(|session| !told.contains(session)) {
        meter.revoke_session(scope, *session, now.plus_millis(TOKEN_MS)).await?;
    }
    Ok(sessions)
}
