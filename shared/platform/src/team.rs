//! Changing teams: what [`Team::decide`](tollgate_domain::team::Team::decide) decides is stored, or decided again.

use tollgate_api::team::MemberOut;
use tollgate_api::{Code, Problem};
use tollgate_domain::{
    account::{Email, Role},
    audit::{Action, Actor, Entry, Outcome},
    catalogue::Product,
    id::{InvitationId, SessionId, TenantId, UserId},
    meter::{Entitlement, Limits},
    secret_hash::SecretHash,
    team::{Command, Event, Refusal},
    time::Timestamp,
};
use worker::Delay;

use crate::{
    Scope, audit,
    identity::{ACCESS_TOKEN_SECONDS, Caller, api_key},
    log,
    meter::MeterClient,
    random,
    store::{
        self, StoreError,
        directory::{self, Joining, Leaving},
        provider_identities::NewIdentity,
        teams::{self, Newcomer, Person, StoredTeam},
    },
    trials,
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

/// Teams need a plan that has seats.
///
/// # Errors
/// `plan_lacks_feature`.
pub fn require_seats(scope: &Scope, stored: &StoredTeam) -> Result<(), Problem> {
    if stored.is_pooled() {
        return Ok(());
    }
    let plan = stored.plan.map_or("none", |plan| plan.as_str());
    Err(Problem {
        upgrade_url: Some(format!("{}/subscription/plans", scope.settings().public_url)),
        ..Problem::new(
            Code::PlanLacksFeature,
            format!("The plan ({plan}) is for one person; teams need the plan teams."),
        )
    })
}

/// A member as it is answered.
pub fn member(person: &Person) -> MemberOut {
    MemberOut {
        id: person.user,
        email: person.email.to_string(),
        name: person.name.clone(),
        role: person.role,
        joined_at: person.joined_at,
    }
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
pub(crate) fn refused(refusal: Refusal) -> Problem {
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
        to: TenantId::on_shard(now, random::entropy()?, team.tenant.shard()),
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
    token_hash: SecretHash,
) -> Result<(), Problem> {
    if !store::shards(scope).any(|shard| shard == tenant.shard()) {
        return Err(Problem::not_found("invitation"));
    }
    move_in(scope, caller.user, caller.tenant, tenant, Door::Invitation(invitation, token_hash)).await
}

/// Moves a user who is alone in their tenant into a team whose single sign-on vouches for their address, as a member.
///
/// # Errors
/// Why not.
pub async fn join_by_sign_on(scope: &Scope, user: UserId, home: TenantId, tenant: TenantId) -> Result<(), Problem> {
    move_in(scope, user, home, tenant, Door::SignOn).await
}

/// What lets somebody into a team.
enum Door {
    /// An invitation, with the hash of its token.
    Invitation(InvitationId, SecretHash),
    /// The team's single sign-on.
    SignOn,
}

async fn move_in(
    scope: &Scope,
    user: UserId,
    home_tenant: TenantId,
    tenant: TenantId,
    door: Door,
) -> Result<(), Problem> {
    let unknown = || Problem::not_found("invitation");
    for _ in 0..TRIES {
        let home = load(scope, home_tenant).await?;
        let person = home.person(user).ok_or_else(unknown)?.clone();
        let asked = match &door {
            Door::Invitation(id, _) => Some(*id),
            Door::SignOn => None,
        };
        let team = teams::team(scope, tenant, asked).await?.ok_or_else(unknown)?;
        let (role, invitation) = admitted(&team, &person, &door, scope.now())?;
        if home.people.len() > 1 {
            return Err(Problem::new(
                Code::LeaveTeamFirst,
                "You are in a team already. Leave it first, sign in again, and join then.",
            ));
        }
        if home.tenant.shard() != tenant.shard() {
            return Err(Problem::new(
                Code::Conflict,
                "The team is kept in another database than your account, and accounts cannot be moved yet. Delete yours and register \
                 with the same address while the invitation is good: the new account will be where the team is.",
            ));
        }
        let told = stop_sessions(scope, home.tenant, &person, &[]).await?;
        api_key::revoke_all(scope, home.tenant, person.user).await?;
        let product = pooled_product(&team).unwrap_or(person.product);
        match directory::join_team(scope, &team, &home, Joining { user, role, product, invitation }).await {
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
        // The address is proven: trials of it that nobody had confirmed are this person's.
        for product in teams::products(scope, home.tenant, user).await.unwrap_or_default() {
            if trials::confirm_claim(scope, person.email.as_str(), user, product).await.is_err() {
                log::error("team", "a trial's claim could not be confirmed", Some(scope));
            }
        }
        record_joining(scope, user, &team, role, invitation, matches!(door, Door::SignOn)).await;
        let left = about(scope, user, Action::TeamLeave).with("to", &tenant.to_string());
        audit::record(scope, home.tenant, &left).await;
        return Ok(());
    }
    Err(busy())
}

/// As what somebody comes in, and with which invitation.
fn admitted(
    team: &StoredTeam,
    person: &Person,
    door: &Door,
    now: Timestamp,
) -> Result<(Role, Option<InvitationId>), Problem> {
    let (id, token_hash) = match door {
        Door::Invitation(id, token_hash) => (*id, *token_hash),
        Door::SignOn => {
            let invitation = team.team.provision(person.user, &person.mailbox, now).map_err(refused)?;
            return Ok((Role::Member, invitation));
        }
    };
    let command = Command::Accept { id, token_hash, email: person.mailbox.clone() };
    let events = team.team.decide(person.user, &command, now).map_err(refused)?;
    match events.first() {
        Some(Event::Joined { role, .. }) => Ok((*role, Some(id))),
        _ => Err(Problem::internal()),
    }
}

fn pooled_product(team: &StoredTeam) -> Option<Product> {
    team.product.filter(|_| team.is_pooled())
}

fn about(scope: &Scope, user: UserId, action: Action) -> Entry {
    audit::entry(scope, Actor::User { id: user }, action, "user", Some(user.to_string()), Outcome::Success)
}

async fn record_joining(
    scope: &Scope,
    user: UserId,
    team: &StoredTeam,
    role: Role,
    invitation: Option<InvitationId>,
    through_sso: bool,
) {
    let mut entry = about(scope, user, Action::TeamJoin).with("role", role.as_str());
    if let Some(invitation) = invitation {
        entry = entry.with("invitation", &invitation.to_string());
    }
    if through_sso {
        entry = entry.with("through", "sso");
    }
    audit::record(scope, team.tenant, &entry).await;
}

/// Makes a member of somebody who has no account, because the team's single sign-on vouches for them. `None` when somebody
/// else was faster: the address or the identity has an account now.
///
/// # Errors
/// `no_seat`, or 503.
pub async fn provision(
    scope: &Scope,
    tenant: TenantId,
    email: &Email,
    name: Option<&str>,
    identity: NewIdentity<'_>,
) -> Result<Option<UserId>, Problem> {
    let user = UserId::new(scope.now(), random::entropy()?);
    for _ in 0..TRIES {
        let team = load(scope, tenant).await?;
        let invitation = team.team.provision(user, email, scope.now()).map_err(refused)?;
        let product = pooled_product(&team).unwrap_or_default();
        let newcomer = Newcomer { user, email, name, product, identity, invitation };
        match teams::add_member(scope, &team, &newcomer).await {
            Ok(()) => {}
            Err(StoreError::Taken(column)) if column.starts_with("team_changes.") => continue,
            Err(StoreError::Taken(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if let Some(pooled) = entitlement(scope, tenant, user, product).await {
            push(scope, MeterClient::named(tenant, user, product), pooled).await;
        }
        record_joining(scope, user, &team, Role::Member, invitation, true).await;
        return Ok(Some(user));
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
