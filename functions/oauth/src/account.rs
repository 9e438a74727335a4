//! Whose account a sign-in opens: what `domain::federation` decides is done here.

use tollgate_domain::{
    account::{Email, NO_PASSWORD},
    catalogue::Product,
    federation::{Known, Person, RefusedLink, Way, decide},
};
use tollgate_platform::{
    Code, Problem, Scope,
    account::{
        first_proof,
        opening::{self, NewPerson, NotOpened},
    },
    federation::{Admitted, Identified, Provider, known, link, new_identity, note_link},
    store::{StoreError, directory_federation, provider_identities},
    team, trials,
};

/// How often it is decided anew when somebody else was faster.
const TRIES: u32 = 4;

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

/// The account was made with somebody's address and never confirmed: its owner gets it, and nothing of before opens it.
/// The meters first: should a later step fail, whoever tries again leaves nothing open.
async fn take_over(
    scope: &Scope,
    provider: &Provider,
    identified: &Identified,
    account: Admitted,
) -> Result<(), Problem> {
    let (tenant, user) = (account.tenant, account.user);
    // Others that its maker let in would stay in.
    if team::load(scope, tenant).await?.people.len() > 1 {
        return Err(Problem::new(
            Code::EmailNotVouchedFor,
            "There is a team with this address as an owner that was never confirmed. Set a password with POST /auth/forgot-password first.",
        ));
    }
    let stopped = first_proof::stop(scope, tenant, user, true).await?;
    let identity = new_identity(scope, provider, identified)?;
    match provider_identities::take_over(scope, tenant, user, &identity).await {
        Ok(_) => {}
        // Linked in the meantime: it is decided anew.
        Err(StoreError::Taken(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // Those that were opened in the meantime. From here on the old password opens none.
    stopped.stop_the_rest(scope).await?;
    note_link(scope, &account, &identity, true).await;
    trials::confirm(scope, tenant, user).await;
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
