//! Trials that nobody gets twice: who is remembered, and who is asked for.
//!
//! A person is known by their address, a card by its fingerprint, a company by the domains that its team has proven. Of each
//! only a digest is kept, one for each product: see [`tollgate_domain::trial::Claimant`]. The persons of a tenant are its owners.

use tollgate_domain::{
    account::Email,
    catalogue::Product,
    id::TenantId,
    trial::{Claimant, PersonKey, claim_of},
};

use crate::{
    Scope,
    store::{self, StoreError, directory_trials, single_sign_on},
};

/// Whether nobody who owns the tenant had a trial of the product, and no company whose address they have.
///
/// # Errors
/// When a database cannot be read.
pub async fn is_left(scope: &Scope, tenant: TenantId, product: Product) -> Result<bool, StoreError> {
    let people = people(scope, tenant).await?;
    let companies = people.iter().map(|person| Claimant::Domain(person.domain()).digest(product));
    let digests: Vec<_> = people.iter().map(|it| Claimant::Person(it).digest(product)).chain(companies).collect();
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
    let digests: Vec<_> = proven.map(|row| Claimant::Domain(&row.domain).digest(product)).collect();
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
    let digests: Vec<_> = products.into_iter().map(|product| Claimant::Domain(domain).digest(product)).collect();
    directory_trials::note(scope, &digests, &claim_of(&tenant.to_string()), scope.now()).await
}

async fn payers(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    fingerprint: Option<&str>,
) -> Result<Vec<String>, StoreError> {
    let people = people(scope, tenant).await?;
    let card = fingerprint.map(|fingerprint| Claimant::Card(fingerprint).digest(product));
    Ok(people.iter().map(|it| Claimant::Person(it).digest(product)).chain(card).collect())
}

async fn people(scope: &Scope, tenant: TenantId) -> Result<Vec<PersonKey>, StoreError> {
    let owners = store::billing::owners(scope, tenant).await?;
    Ok(owners.iter().filter_map(|address| Email::parse(address).ok()).map(|email| PersonKey::of(&email)).collect())
}
