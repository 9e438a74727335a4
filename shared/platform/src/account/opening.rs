//! Making an account: a user with a tenant of one, and what it begins with.

use tollgate_api::Problem;
use tollgate_domain::{
    account::Email,
    audit::{Action, Actor, Outcome},
    catalogue::{Plan, Product, limits},
    id::{Shard, TenantId, UserId},
    meter::{Entitlement, Terms},
    shards::Placement,
    time::Timestamp,
    trial::Trial,
};

use super::mailed;
use crate::{
    Scope, audit,
    identity::MailTokenKind,
    log,
    meter::MeterClient,
    random,
    settings::{self, Environment},
    store::{self, NewAccount, StoreError, directory, provider_identities::NewIdentity},
};

/// Who registers.
#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    /// The sign-in name.
    pub email: &'a Email,
    /// How to address the person.
    pub name: Option<&'a str>,
    /// What to try.
    pub product: Product,
    /// PHC string of argon2id, or `NO_PASSWORD`.
    pub password_hash: &'a str,
    /// What the person signs in with at another party, and whether that party vouches for the address.
    pub identity: Option<(NewIdentity<'a>, bool)>,
}

/// Why there is no account.
#[derive(Debug)]
pub enum NotOpened {
    /// The address has one.
    EmailTaken,
    /// The other party's subject has one.
    IdentityTaken,
    /// Something failed.
    Problem(Box<Problem>),
}

impl From<Problem> for NotOpened {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// Makes user, tenant, sign-in name and subscription, begins the trial, and mails a token to confirm the address, unless
/// somebody vouches for it.
///
/// # Errors
/// [`NotOpened`]: then there is nothing of it.
pub async fn open(scope: &Scope, person: &NewPerson<'_>) -> Result<(TenantId, UserId), NotOpened> {
    if directory::is_taken(scope, person.email).await.map_err(Problem::from)? {
        return Err(NotOpened::EmailTaken);
    }
    let now = scope.now();
    let user = UserId::new(now, random::entropy()?);
    let tenant = TenantId::on_shard(now, random::entropy()?, shard(scope, person.email).await?);
    let email_verified = person.identity.is_some_and(|(_, vouched)| vouched);
    let mut entitlement = Entitlement { confirmed: email_verified, ..first_plan(scope, person.product, now)? };
    let account = NewAccount {
        user,
        tenant,
        email: person.email,
        name: person.name,
        tenant_name: person.name.unwrap_or(person.email.as_str()),
        password_hash: person.password_hash,
        email_verified,
        identity: person.identity.map(|(identity, _)| identity),
        product: person.product,
        plan: entitlement.plan,
        trial: match entitlement.terms {
            Terms::Trial(trial) => Some(trial),
            Terms::Monthly { .. } | Terms::Ended { .. } => None,
        },
        now,
    };
    // Who had a trial before has an account with nothing left of it: GET /user/trial-status says why.
    if let Some(trial) = store::register(scope, &account).await.map_err(taken)? {
        entitlement.terms = Terms::Trial(trial);
    }
    // A meter that is not told now is told on the first metered call: the account stands either way.
    if MeterClient::named(tenant, user, person.product).configure(scope, entitlement).await.is_err() {
        log::warn("register", "the plan could not be pushed to the meter yet", Some(scope));
    }
    let (by, id) = (Actor::User { id: user }, Some(user.to_string()));
    let entry = audit::entry(scope, by, Action::Register, "user", id, Outcome::Success);
    let entry = match person.identity {
        Some((identity, _)) => entry.with("through", identity.realm),
        None => entry,
    };
    audit::record(scope, tenant, &entry).await;
    if !email_verified {
        // The account stands without the mail, too: there is another at POST /auth/verify-email/resend.
        let (sender, address) = (scope.clone(), person.email.to_string());
        scope.wait_until(async move {
            mailed::try_token(&sender, MailTokenKind::VerifyEmail, tenant, user, &address).await;
        });
    }
    Ok((tenant, user))
}

/// Where the account is kept: with the team that has invited its address, else on one of the shards that are open to new tenants.
async fn shard(scope: &Scope, email: &Email) -> Result<Shard, Problem> {
    if let Some(shard) = directory::shard_of_invitation(scope, email).await? {
        return Ok(shard);
    }
    let Some(setting) = settings::text(scope.env(), "NEW_TENANT_SHARDS") else { return Ok(Shard::FIRST) };
    let placement = Placement::parse(&setting).unwrap_or_else(|| {
        log::error("register", "NEW_TENANT_SHARDS is no list of shards: 0:1,1:3 for example", Some(scope));
        Placement::default()
    });
    let bound: Vec<Shard> = store::shards(scope).collect();
    Ok(placement.choose(|shard| bound.contains(&shard), u64::from_be_bytes(random::bytes()?)))
}

/// The plan an account begins with: the trial; without limits where the platform is being measured. It begins at the instant of
/// the claim: a trial that began a millisecond later would be one that is cut short, and begin anew with the confirmed address.
fn first_plan(scope: &Scope, product: Product, now: Timestamp) -> Result<Entitlement, Problem> {
    let (plan, terms) = if scope.settings().environment == Environment::Bench {
        (Plan::Bench, Terms::Monthly { anchor: now })
    } else {
        (Plan::Trial, Terms::Trial(Trial::starting(now, product.trial_days())))
    };
    let limits = limits(product, plan).ok_or_else(Problem::internal)?;
    Ok(Entitlement { version: 1, product, plan, limits, terms, pooled: plan.is_pooled(), rate: None, confirmed: true })
}

fn taken(error: StoreError) -> NotOpened {
    match error {
        StoreError::Taken(column) if column == "identities.email" => NotOpened::EmailTaken,
        StoreError::Taken(column) if column.starts_with("provider_identities.") => NotOpened::IdentityTaken,
        error => Problem::from(error).into(),
    }
}
