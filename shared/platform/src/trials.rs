//! Trials that nobody gets twice: who is remembered, and who is asked for.
//!
//! A person is known by their address, a card by its fingerprint, a company by the domains that its team has proven. Of each
//! only a digest is kept, one for each product: see [`tollgate_domain::trial::Claimant`]. The persons of a tenant are its owners.
//!
//! Anybody can register anybody's address, so a person's claim is provisional until the address is confirmed. It counts against
//! others who have not confirmed it either, as long as the account stands that made it; when that account goes, whoever registers
//! next has the rest of the trial. Whoever confirms the address takes the claim over, once, with a whole trial, and it ends for
//! every other account of the person that confirms its own spelling. So nobody loses theirs by a stranger, and nobody gets a
//! second one by registering again.

use tollgate_domain::{
    account::Email,
    catalogue::Product,
    id::{TenantId, UserId},
    trial::{Claimant, PersonKey, Trial, claim_of},
};

use crate::{
    Scope, log, mailbox,
    meter::MeterClient,
    store::{
        self, StoreError,
        directory_trials::{self, Digest},
        single_sign_on,
    },
};

/// Whether nobody who owns the tenant had a trial of the product, and no company whose address they have.
///
/// # Errors
/// When a database cannot be read.
pub async fn is_left(scope: &Scope, tenant: TenantId, product: Product) -> Result<bool, StoreError> {
    let people = people(scope, tenant).await?;
    let companies = people.iter().map(|(person, _)| (Claimant::Domain(person.domain()).digest(product), false));
    let digests: Vec<_> = people.iter().map(|person| claimed_by(person, product)).chain(companies).collect();
    Ok(!directory_trials::is_claimed(scope, &digests).await?)
}

/// Claims the trial that a subscription began with, for the card and the owners together; `false` when one of them had one.
///
/// # Errors
/// When a database does not answer.
pub(crate) async fn claim(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    (subscription, fingerprint): (&str, Option<&str>),
) -> Result<bool, StoreError> {
    let digests = payers(scope, tenant, product, fingerprint).await?;
    directory_trials::claim_all(scope, &digests, &claim_of(subscription), scope.now()).await
}

/// Notes that a subscription was paid: its card and its owners have no trial of the product left.
///
/// # Errors
/// When a database does not answer.
pub(crate) async fn note_paid(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    (subscription, fingerprint): (&str, Option<&str>),
) -> Result<(), StoreError> {
    let digests = payers(scope, tenant, product, fingerprint).await?;
    directory_trials::note(scope, &digests, &claim_of(subscription), scope.now()).await
}

/// Notes that the company of a tenant has a product, by each domain that its team has proven.
///
/// # Errors
/// When a database does not answer.
pub(crate) async fn note_company(scope: &Scope, tenant: TenantId, product: Product) -> Result<(), StoreError> {
    let domains = single_sign_on::sso_domains(scope, tenant).await?;
    let proven = domains.iter().filter(|row| row.verified_at.is_some());
    let digests: Vec<_> = proven.map(|row| (Claimant::Domain(&row.domain).digest(product), false)).collect();
    if digests.is_empty() {
        return Ok(());
    }
    directory_trials::note(scope, &digests, &claim_of(&tenant.to_string()), scope.now()).await
}

/// Notes, once a team has proven a domain, that the company has every product that somebody in the team has or had. It stays
/// when the domain is given up.
///
/// # Errors
/// When a database does not answer.
pub async fn note_domain(scope: &Scope, tenant: TenantId, domain: &str) -> Result<(), StoreError> {
    let products = store::products(scope, tenant).await?;
    let digests: Vec<_> =
        products.into_iter().map(|product| (Claimant::Domain(domain).digest(product), false)).collect();
    directory_trials::note(scope, &digests, &claim_of(&tenant.to_string()), scope.now()).await
}

/// Makes the claims of an account's trials count for good, now that its address is confirmed, and begins a trial anew that was
/// cut short because somebody else had begun it with the same address and never confirmed it. What fails is logged: the address
/// stands as confirmed either way.
pub async fn confirm(scope: &Scope, tenant: TenantId, user: UserId) {
    let confirmed = async {
        let Some(row) = store::profile(scope, tenant, user, None).await? else { return Ok(()) };
        for product in store::users_products(scope, tenant, user).await? {
            // Each of these is told to the meter, with the confirmed address.
            match confirm_claim(scope, &row.email, user, product).await? {
                Confirmed::Now => begin_anew(scope, tenant, user, product).await?,
                Confirmed::BySomebodyElse => end(scope, tenant, user, product).await?,
                Confirmed::Before => {}
            }
            tell_meter(scope, tenant, user, product).await?;
        }
        Ok::<_, StoreError>(())
    };
    if confirmed.await.is_err() {
        log::error(
            "trials",
            "a claim could not be confirmed: its trial can be begun again with the address",
            Some(scope),
        );
    }
}

/// Whose a claim is, once an address was confirmed.
pub(crate) enum Confirmed {
    /// The account's, from now on.
    Now,
    /// The account's own, or one that is older than this distinction.
    Before,
    /// Another account's, of the same person.
    BySomebodyElse,
}

/// What stands in the claim of a user's trial.
pub(crate) fn claim_of_user(user: UserId, product: Product) -> String {
    claim_of(&format!("{user} {product}"))
}

/// Makes the claim of a person's trial count for good.
pub(crate) async fn confirm_claim(
    scope: &Scope,
    address: &str,
    user: UserId,
    product: Product,
) -> Result<Confirmed, StoreError> {
    let Some(email) = mailbox::stored(address) else { return Ok(Confirmed::Before) };
    let (digest, own) = (Claimant::Person(&PersonKey::of(&email)).digest(product), claim_of_user(user, product));
    if directory_trials::confirm(scope, &digest, &own).await? {
        return Ok(Confirmed::Now);
    }
    let holder = directory_trials::holder(scope, &digest).await?;
    // Registrations of earlier releases wrote something random, which says nothing of whose it is.
    let is_other = holder.is_some_and(|holder| holder != own && !holder.starts_with("req_"));
    Ok(if is_other { Confirmed::BySomebodyElse } else { Confirmed::Before })
}

/// Lets go of what an account had claimed without having confirmed its address, because it is deleted.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn release(scope: &Scope, tenant: TenantId, user: UserId, email: &Email) -> Result<(), StoreError> {
    let person = PersonKey::of(email);
    for product in store::users_products(scope, tenant, user).await? {
        let digest = Claimant::Person(&person).digest(product);
        directory_trials::release(scope, &digest, &claim_of_user(user, product)).await?;
    }
    Ok(())
}

/// The person has had a trial of the product with another account: this one's is over.
async fn end(scope: &Scope, tenant: TenantId, user: UserId, product: Product) -> Result<(), StoreError> {
    let none = Trial::none_left(scope.now());
    store::restart_trial(scope, tenant, user, product, none).await.map(drop)
}

async fn begin_anew(scope: &Scope, tenant: TenantId, user: UserId, product: Product) -> Result<(), StoreError> {
    let trial = Trial::starting(scope.now(), product.trial_days());
    let shortened =
        |row: &store::SubscriptionRow| row.trial().is_some_and(|had| had.is_shortened(product.trial_days()));
    let row = store::subscription(scope, tenant, user, product, None).await?;
    if row.as_ref().is_some_and(shortened) {
        store::restart_trial(scope, tenant, user, product, trial).await?;
    }
    Ok(())
}

/// Tells a user's meters their plans again, should that have failed when the address was confirmed.
///
/// # Errors
/// When a database cannot be read.
pub async fn tell_meters(scope: &Scope, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
    for product in store::users_products(scope, tenant, user).await? {
        tell_meter(scope, tenant, user, product).await?;
    }
    Ok(())
}

async fn tell_meter(scope: &Scope, tenant: TenantId, user: UserId, product: Product) -> Result<(), StoreError> {
    let row = store::subscription(scope, tenant, user, product, None).await?;
    if let Some(entitlement) = row.and_then(|row| row.entitlement(product))
        && MeterClient::named(tenant, user, product).configure(scope, entitlement).await.is_err()
    {
        log::warn("trials", "a trial that was confirmed could not be told to its meter yet", Some(scope));
    }
    Ok(())
}

async fn payers(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    fingerprint: Option<&str>,
) -> Result<Vec<Digest>, StoreError> {
    let people = people(scope, tenant).await?;
    let card = fingerprint.map(|fingerprint| (Claimant::Card(fingerprint).digest(product), false));
    Ok(people.iter().map(|person| claimed_by(person, product)).chain(card).collect())
}

fn claimed_by((person, is_confirmed): &(PersonKey, bool), product: Product) -> Digest {
    (Claimant::Person(person).digest(product), !is_confirmed)
}

/// The owners, and whether each has confirmed the address.
async fn people(scope: &Scope, tenant: TenantId) -> Result<Vec<(PersonKey, bool)>, StoreError> {
    let owners = store::billing::owners(scope, tenant).await?;
    let known = owners.iter().filter_map(|(address, is_confirmed)| Some((mailbox::stored(address)?, *is_confirmed)));
    Ok(known.map(|(email, is_confirmed)| (PersonKey::of(&email), is_confirmed)).collect())
}
