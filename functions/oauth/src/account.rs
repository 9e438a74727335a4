//! Whose account a sign-in opens: what `domain::federation` decides is done here.

use tollgate_domain::{
    account::{Email, NO_PASSWORD},
    audit::{Action, Actor, Outcome},
    catalogue::Product,
    federation::{Known, Person, RefusedLink, Way, decide},
    id::{IdentityId, TenantId, UserId},
};
use tollgate_platform::{
    Code, Problem, Scope,
    account::{
        ending::{end_in_meters, reachable},
        opening::{self, NewPerson, NotOpened},
    },
    audit,
    identity::api_key,
    random,
    store::{
        self, StoreError,
        directory_federation::{self, HolderRow},
        provider_identities::{self, NewIdentity},
    },
    team,
};

use crate::provider::{Identified, Provider};

/// How often it is decided anew when somebody else was faster.
const TRIES: u32 = 4;

/// Who may go in.
pub struct Admitted {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What stands for the password.
    pub credential: String,
    /// Whether the account was made just now.
    pub is_new: bool,
}

impl Admitted {
    /// Into an account that is there.
    pub fn known(row: HolderRow) -> Result<Self, Problem> {
        let (Ok(tenant), Ok(user)) = (row.tenant_id.parse(), row.user_id.parse()) else {
            return Err(Problem::internal());
        };
        Ok(Self { tenant, user, credential: row.password_hash, is_new: false })
    }
}

/// The account of whoever signed in at a provider; linked, taken over or made where that is right.
pub async fn admit(scope: &Scope, provider: &Provider, identified: &Identified) -> Result<Admitted, Problem> {
    for _ in 0..TRIES {
        let by_subject = known(scope, provider, identified).await?;
        let by_address = match (&by_subject, &identified.email) {
            (None, Some(email)) => directory_federation::holder(scope, email).await?,
            _ => None,
        };
        let known = match (&by_subject, &by_address) {
            (Some(_), _) => Known::Identity,
            (None, Some(row)) => Known::Address { verified: row.email_verified != 0 },
            (None, None) => Known::Nobody,
        };
        let vouched = identified.email_verified == Some(true);
        let person = Person { email: identified.email.clone(), email_verified: vouched };
        let way = decide(&person, known).map_err(|why| not_linked(why, provider))?;
        let done = match (way, by_subject.or(by_address), &identified.email) {
            (Way::SignIn, Some(row), _) => Some(Admitted::known(row)?),
            (Way::Link, Some(row), _) => link(scope, provider, identified, row).await?,
            (Way::TakeOver, Some(row), _) => {
                take_over(scope, provider, identified, Admitted::known(row)?).await?;
                None
            }
            (Way::Register { .. }, None, Some(email)) => register(scope, provider, identified, email).await?,
            _ => return Err(Problem::internal()),
        };
        if let Some(admitted) = done {
            return Ok(admitted);
        }
    }
    Err(Problem::dependency("database"))
}

/// The account that the subject is linked with.
pub async fn known(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
) -> Result<Option<HolderRow>, StoreError> {
    directory_federation::account_by_subject(scope, &provider.realm, &identified.issuer, &identified.subject).await
}

fn not_linked(why: RefusedLink, provider: &Provider) -> Problem {
    match why {
        RefusedLink::NoAddress => Problem::new(
            Code::SignInRefused,
            format!("{} did not tell an e-mail address, and an account needs one. Allow it there.", provider.name),
        ),
        RefusedLink::NotVouchedFor => Problem::new(
            Code::EmailNotVouchedFor,
            format!(
                "There is an account with this address, and {} does not say that it is yours. Confirm it there, or sign in with the password.",
                provider.name
            ),
        ),
    }
}

/// The link of this sign-in.
pub fn new_identity<'a>(
    scope: &Scope,
    provider: &'a Provider,
    identified: &'a Identified,
) -> Result<NewIdentity<'a>, Problem> {
    Ok(NewIdentity {
        id: IdentityId::new(scope.now(), random::entropy()?),
        realm: &provider.realm,
        issuer: &identified.issuer,
        subject: &identified.subject,
        email: identified.email.as_ref().map(Email::as_str),
        now: scope.now(),
    })
}

/// `None` when somebody else was faster.
pub async fn link(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
    row: HolderRow,
) -> Result<Option<Admitted>, Problem> {
    let admitted = Admitted::known(row)?;
    let identity = new_identity(scope, provider, identified)?;
    match provider_identities::link(scope, admitted.tenant, admitted.user, &identity).await {
        Ok(()) => {}
        Err(StoreError::Taken(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    note(scope, &admitted, &identity, false).await;
    Ok(Some(admitted))
}

async fn note(scope: &Scope, admitted: &Admitted, identity: &NewIdentity<'_>, took_over: bool) {
    let (by, id) = (Actor::User { id: admitted.user }, Some(identity.id.to_string()));
    let entry = audit::entry(scope, by, Action::IdentityLink, "identity", id, Outcome::Success);
    let entry = entry.with("through", identity.realm);
    let entry = if took_over { entry.with("why", "taken over: the address had not been confirmed") } else { entry };
    audit::record(scope, admitted.tenant, &entry).await;
}

/// The account was made with somebody's address and never confirmed: its owner gets it, and nothing of before opens it.
/// The meters first: should a later step fail, whoever tries again leaves nothing open.
async fn take_over(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
    account: Admitted,
) -> Result<(), Problem> {
    let (tenant, user, now) = (account.tenant, account.user, scope.now());
    // Others that its maker let in would stay in.
    if team::load(scope, tenant).await?.people.len() > 1 {
        return Err(Problem::new(
            Code::EmailNotVouchedFor,
            "There is a team with this address as an owner that was never confirmed. Set a password with POST /auth/forgot-password first.",
        ));
    }
    let products = store::users_products(scope, tenant, user).await?;
    let before = reachable(scope, tenant, user, now).await?;
    end_in_meters(scope, tenant, user, &products, &before).await?;
    api_key::revoke_all(scope, tenant, user).await?;
    let identity = new_identity(scope, provider, identified)?;
    match provider_identities::take_over(scope, tenant, user, &identity).await {
        Ok(_) => {}
        // Linked in the meantime: it is decided anew.
        Err(StoreError::Taken(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // Those that were opened in the meantime. From here on the old password opens none.
    let mut after = reachable(scope, tenant, user, now).await?;
    after.retain(|session| !before.contains(session));
    end_in_meters(scope, tenant, user, &products, &after).await?;
    note(scope, &account, &identity, true).await;
    Ok(())
}

/// `None` when somebody else was faster.
async fn register(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
    email: &Email,
) -> Result<Option<Admitted>, Problem> {
    let identity = new_identity(scope, provider, identified)?;
    let person = NewPerson {
        email,
        name: identified.name.as_deref(),
        product: Product::default(),
        password_hash: NO_PASSWORD,
        identity: Some((identity, identified.email_verified == Some(true))),
    };
    match opening::open(scope, &person).await {
        Ok((tenant, user)) => Ok(Some(Admitted { tenant, user, credential: NO_PASSWORD.to_owned(), is_new: true })),
        Err(NotOpened::EmailTaken | NotOpened::IdentityTaken) => Ok(None),
        Err(NotOpened::Problem(problem)) => Err(*problem),
    }
}
