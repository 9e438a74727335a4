//! Deleting a user: what [`State::step`](tollgate_domain::deletion::State::step) asks for is done, and what was done is stored.
//!
//! The request that asks for it does what it can; a schedule does the rest. No step needs what another has left in memory.

use std::collections::BTreeSet;

use tollgate_api::{Code, Problem};
use tollgate_domain::{
    audit::{Action, Actor, Entry, Outcome, Source, Target},
    catalogue::Product,
    deletion::{Extent, Proof, State, Step, Store, others, subject},
    id::{DeletionId, TenantId, UserId},
    team::{Command, Event},
    time::Timestamp,
};

use crate::{
    Scope,
    account::ending,
    audit, billing,
    identity::{Caller, actor, api_key},
    log,
    meter::{MeterClient, Owner, PoolClient, PoolReply, PoolRequest},
    random,
    store::{self, Deletion, NewDeletion, StoreError, directory, personal},
    stripe::Stripe,
    team, trials,
};

/// How often a deletion is asked for when others change the same team.
const TRIES: u32 = 8;

/// Copies that are listed at a time.
const COPIES_AT_ONCE: u64 = 1_000;

/// How a run of a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is done, and proven.
    Done,
    /// Work of the user's goes on, or somebody else drives it: it is looked at again.
    Waiting,
}

/// Takes the caller out of their tenant, for good: from here on nobody signs in, and their address is free. What is left is for
/// [`run`].
///
/// # Errors
/// 409 `last_owner` when others would be without an owner; 503 when nothing has changed and it is to be asked for again.
pub async fn request(scope: &Scope, caller: &Caller) -> Result<DeletionId, Problem> {
    let (tenant, user) = (caller.tenant, caller.user);
    for _ in 0..TRIES {
        let team = team::load(scope, tenant).await?;
        let ended = || Problem::new(Code::SessionRevoked, "This session was ended. Sign in again.");
        let person = team.person(user).ok_or_else(ended)?;
        let (extent, revoked) = if team.people.len() == 1 {
            let home = directory::is_home_of_others(scope, tenant, user).await?;
            (if home { Extent::Member } else { Extent::Tenant }, Vec::new())
        } else {
            let events = team.team.decide(user, &Command::Leave, scope.now()).map_err(team::refused)?;
            let revoked = events.iter().filter_map(|event| match event {
                Event::InvitationRevoked { id, .. } => Some(*id),
                _ => None,
            });
            (Extent::Member, revoked.collect())
        };
        // The meters first: should a later step fail, nothing has changed, and it is asked for again.
        stop(scope, tenant, user).await?;
        let former = directory::former_tenants(scope, &person.email, user).await?;
        let id = DeletionId::new(scope.now(), random::entropy()?);
        let new = NewDeletion {
            id,
            user,
            email: &person.email,
            extent,
            others: &others(tenant, person.home, &former),
            pseudonym: UserId::new(scope.now(), random::entropy()?),
            revoked: &revoked,
        };
        match store::request_deletion(scope, &team, &new).await {
            Ok(()) => {}
            Err(StoreError::Taken(_)) => continue,
            Err(error) => return Err(error.into()),
        }
        let asked =
            audit::entry(scope, actor(caller), Action::AccountDelete, "user", Some(user.to_string()), Outcome::Success);
        audit::record(scope, tenant, &asked.with("deletion", &id.to_string())).await;
        return Ok(id);
    }
    Err(Problem::dependency("database"))
}

/// Where a deletion is driven from: who may speak to whoever bills.
#[expect(async_fn_in_trait, reason = "workers have one thread: nothing asks for Send")]
pub trait Biller {
    /// Ends what a tenant is billed for; `false` when that is for somebody else to do.
    async fn end(&self, scope: &Scope, tenant: TenantId) -> Result<bool, Problem>;
}

/// A function that knows no Stripe: a tenant that is billed waits for the job that does.
#[derive(Debug, Clone, Copy)]
pub struct BilledElsewhere;

impl Biller for BilledElsewhere {
    async fn end(&self, scope: &Scope, tenant: TenantId) -> Result<bool, Problem> {
        Ok(billing::all_customers(scope, tenant).await?.is_empty())
    }
}

/// Stripe: deleting the customer cancels its subscriptions at once, and removes what Stripe has of the person.
#[derive(Debug, Clone, Copy)]
pub struct BilledByStripe;

impl Biller for BilledByStripe {
    async fn end(&self, scope: &Scope, tenant: TenantId) -> Result<bool, Problem> {
        // Those of before, too: with another key Stripe may know them.
        for customer in billing::all_customers(scope, tenant).await? {
            Stripe::of(scope)?.delete(&format!("/v1/customers/{customer}")).await?;
        }
        Ok(true)
    }
}

/// Does one step after the other, until the deletion is done or waits.
///
/// # Errors
/// 503 when something cannot be reached: the next run begins with the step that failed.
pub async fn run(
    scope: &Scope,
    tenant: TenantId,
    id: DeletionId,
    until: Option<State>,
    biller: &impl Biller,
) -> Result<Progress, Problem> {
    let mut followers = Vec::new();
    let progress = loop {
        let Some(mut deletion) = store::open_deletion(scope, tenant, id).await? else { break Progress::Done };
        let Some(step) = deletion.state.step().filter(|_| until.is_none_or(|until| deletion.state < until)) else {
            break Progress::Done;
        };
        followers.extend(deletion.others.iter().copied());
        if !advance(scope, &mut deletion, step, biller).await? {
            break Progress::Waiting;
        }
    };
    if until.is_none() {
        for other in followers {
            Box::pin(run(scope, other, id, None, biller)).await?;
        }
    }
    Ok(progress)
}

/// Does a step and remembers that it is done; `false` when it has to wait.
async fn advance(scope: &Scope, deletion: &mut Deletion, step: Step, biller: &impl Biller) -> Result<bool, Problem> {
    let done = match step {
        Step::Unlist => unlist(scope, deletion).await?,
        Step::Stop => {
            stop(scope, deletion.tenant, deletion.user).await?;
            true
        }
        // Who leaves a team leaves its plan with it.
        Step::EndBilling if deletion.extent == Extent::Member => true,
        Step::EndBilling => biller.end(scope, deletion.tenant).await?,
        Step::EmptyObjects => empty_objects(scope, deletion).await?,
        Step::ClearCopies => clear_copies(scope, deletion).await?,
        Step::EraseRows => return Ok(store::erase_rows(scope, deletion).await?),
        Step::Prove => return prove(scope, deletion).await,
    };
    Ok(done && store::advance_deletion(scope, deletion, State::after(step)).await?)
}

/// Everything that names the address, before the address is free: whoever registers it then loses nothing.
async fn unlist(scope: &Scope, deletion: &mut Deletion) -> Result<bool, Problem> {
    let Some(email) = deletion.email.clone() else { return Ok(true) };
    let name = deletion.name.as_deref();
    let mut addressed = personal::forget_address(scope, deletion.tenant, email.as_str(), name).await?;
    for other in deletion.others.clone() {
        if !store::shards(scope).any(|shard| shard == other.shard()) {
            log::error("deletion", &format!("{other} is on a shard that is not bound"), Some(scope));
            return Ok(false);
        }
        let alone = personal::is_alone(scope, other, deletion.user).await?
            && !directory::is_home_of_others(scope, other, deletion.user).await?;
        let extent = if alone { Extent::Tenant } else { Extent::Member };
        store::follow_deletion(scope, deletion, other, extent).await?;
        addressed += personal::forget_address(scope, other, email.as_str(), name).await?;
    }
    if deletion.verified {
        directory::forget_address_everywhere(scope, &email).await?;
    } else {
        trials::release(scope, deletion.tenant, deletion.user, &email).await?;
    }
    directory::remove_identity(scope, &email, deletion.user).await?;
    deletion.removed.note(Store::D1, "identities", 1);
    deletion.removed.note(Store::D1, "addressed_to_the_user", addressed);
    Ok(true)
}

/// Sessions and keys, in every meter of the tenant that the user may have.
async fn stop(scope: &Scope, tenant: TenantId, user: UserId) -> Result<(), Problem> {
    let products = store::users_products(scope, tenant, user).await?;
    let products: BTreeSet<Product> = products.into_iter().chain(pooled_product(scope, tenant).await?).collect();
    let products: Vec<Product> = products.into_iter().collect();
    let sessions = ending::reachable(scope, tenant, user, scope.now().plus_millis(-LIVING_TOKEN_MS)).await?;
    ending::end_in_meters(scope, tenant, user, &products, &sessions).await?;
    api_key::revoke_all(scope, tenant, user).await
}

/// An access token that was given out before may live as long, and a minute more.
const LIVING_TOKEN_MS: i64 = (crate::identity::ACCESS_TOKEN_SECONDS + 60) * 1000;

/// What a member of a team has a meter for without a subscription of their own.
async fn pooled_product(scope: &Scope, tenant: TenantId) -> Result<Option<Product>, Problem> {
    let team = store::teams::team(scope, tenant, None).await?;
    Ok(team.filter(store::teams::StoredTeam::is_pooled).and_then(|team| team.product))
}

/// Objects: those of the user, or of everybody who ever used something in a tenant that goes as a whole.
async fn empty_objects(scope: &Scope, deletion: &mut Deletion) -> Result<bool, Problem> {
    let tenant = deletion.tenant;
    let mut users = vec![deletion.user];
    if deletion.extent == Extent::Tenant {
        users.extend(personal::owners(scope, tenant).await?.into_iter().filter(|user| *user != deletion.user));
    }
    for user in &users {
        for product in Product::ALL {
            let meter = MeterClient::named(tenant, *user, product);
            match deletion.extent {
                Extent::Tenant => meter.delete(scope).await?,
                Extent::Member if !meter.hand_over_and_delete(scope).await? => return Ok(false),
                Extent::Member => {}
            }
        }
    }
    let meters = users.len() * Product::ALL.len();
    deletion.removed.note(Store::UsageMeter, "objects", meters as u64);
    if deletion.extent == Extent::Tenant {
        for product in Product::ALL {
            if PoolClient::named(tenant, product).ask(scope, &PoolRequest::Delete).await? != PoolReply::Done {
                return Ok(false);
            }
        }
        deletion.removed.note(Store::TeamPool, "objects", Product::ALL.len() as u64);
    }
    Ok(true)
}

/// Copies in KV are named after tenant and user.
async fn clear_copies(scope: &Scope, deletion: &mut Deletion) -> Result<bool, Problem> {
    let owner = Owner { tenant: deletion.tenant, user: Some(deletion.user), product: Product::default() };
    let prefix = owner.snapshot_prefix(deletion.extent == Extent::Member);
    let failed = |what: String| {
        log::error("deletion", &what, Some(scope));
        Problem::dependency("counters")
    };
    let counters = scope.env().kv("COUNTERS").map_err(|error| failed(error.to_string()))?;
    let mut cleared = deletion.removed.count(Store::Kv, "copies");
    let mut cursor = None;
    loop {
        let mut list = counters.list().prefix(prefix.clone()).limit(COPIES_AT_ONCE);
        if let Some(at) = cursor {
            list = list.cursor(at);
        }
        let page = list.execute().await.map_err(|error| failed(error.to_string()))?;
        for key in &page.keys {
            counters.delete(&key.name).await.map_err(|error| failed(error.to_string()))?;
            cleared += 1;
        }
        cursor = page.cursor;
        if page.list_complete || cursor.is_none() {
            break;
        }
    }
    deletion.removed.note(Store::Kv, "copies", cleared);
    Ok(true)
}

/// The proof, and an entry in the tenant's log that names its hash.
async fn prove(scope: &Scope, deletion: &Deletion) -> Result<bool, Problem> {
    let finished_at: Timestamp = scope.now();
    let proof = Proof {
        deletion: deletion.id,
        subject: subject(deletion.user),
        extent: deletion.extent,
        requested_at: deletion.requested_at,
        finished_at,
        removed: &deletion.removed,
        audit_head: deletion.audit_head.as_deref(),
    };
    let (_, hash) = proof.written();
    if !store::finish_deletion(scope, deletion, &proof).await? {
        return Ok(false);
    }
    let target = Target { kind: "deletion".to_owned(), id: Some(deletion.id.to_string()) };
    let system = Actor::System { function: "deletion".to_owned() };
    let entry = Entry::new(system, Action::AccountDelete, target, Source::default(), Outcome::Success);
    audit::record(scope, deletion.tenant, &entry.with("proof", &hash.to_string())).await;
    Ok(true)
}
