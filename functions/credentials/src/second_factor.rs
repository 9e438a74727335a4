//! A user's second factor: opened, and its codes used up.

use tollgate_domain::{
    audit::Action,
    id::{TenantId, UserId},
    mail::Letter,
    totp::{Code, RecoveryCode, RecoveryCodes, Secret, verify},
};
use tollgate_platform::{
    Problem, Scope,
    account::noted,
    log,
    store::{self, SecondFactorRow},
    vault::{Place, Vault},
};

use crate::told;

/// How often a recovery code is tried while others of the same user are used up.
const TRIES: usize = 4;

/// A code that was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// What the app shows.
    OfTheApp,
    /// One from paper.
    Recovery,
}

/// The user's second factor, once it was confirmed.
pub async fn confirmed(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<SecondFactorRow>, Problem> {
    Ok(store::second_factor(scope, tenant, user).await?.filter(|row| row.confirmed_at.is_some()))
}

fn place(user: &str) -> Place<'_> {
    Place { table: "second_factors", column: "secret", row: user }
}

/// Seals an app's secret for its user's row.
pub async fn seal(scope: &Scope, tenant: TenantId, user: UserId, secret: &Secret) -> Result<String, Problem> {
    Vault::of(scope, tenant).await?.seal(place(&user.to_string()), secret.as_bytes())
}

/// Opens an app's secret.
pub async fn open(scope: &Scope, user: UserId, row: &SecondFactorRow) -> Result<Secret, Problem> {
    let sealed_for: TenantId = row.sealed_for.parse().map_err(|_| Problem::internal())?;
    let bytes = Vault::of(scope, sealed_for).await?.open(scope, place(&user.to_string()), &row.secret)?;
    <[u8; 20]>::try_from(bytes).map(Secret::new).map_err(|_| Problem::internal())
}

/// Uses a code up, one of the app or one from paper; `None` when it is not good (any more), or there is no second factor.
pub async fn use_up(scope: &Scope, tenant: TenantId, user: UserId, typed: &str) -> Result<Option<Used>, Problem> {
    if let Ok(code) = Code::parse(typed) {
        let is_good = use_code(scope, tenant, user, code).await?;
        return Ok(is_good.then_some(Used::OfTheApp));
    }
    let Some(code) = RecoveryCode::parse(typed) else { return Ok(None) };
    let Some(left) = use_recovery_code(scope, tenant, user, code).await? else { return Ok(None) };
    noted::of_user(scope, tenant, user, Action::RecoveryCodeUse).await;
    told::user(scope, tenant, user, Letter::RecoveryCodeUsed { left });
    Ok(Some(Used::Recovery))
}

async fn use_code(scope: &Scope, tenant: TenantId, user: UserId, code: Code) -> Result<bool, Problem> {
    let Some(row) = confirmed(scope, tenant, user).await? else { return Ok(false) };
    let secret = open(scope, user, &row).await?;
    let Ok(step) = verify(&secret, row.last_step, code, scope.now()) else { return Ok(false) };
    let step = i64::try_from(step).map_err(|_| Problem::internal())?;
    // Who has moved to another tenant gets the secret sealed there: the one they left may end.
    let moved = row.sealed_for != tenant.to_string();
    let resealed = if moved { seal(scope, tenant, user, &secret).await? } else { row.secret.clone() };
    Ok(store::use_second_factor(scope, tenant, user, &row.secret, step, &resealed).await?)
}

async fn use_recovery_code(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    code: RecoveryCode,
) -> Result<Option<usize>, Problem> {
    for _ in 0..TRIES {
        let Some(before) = confirmed(scope, tenant, user).await?.and_then(|row| row.recovery_codes) else {
            return Ok(None);
        };
        let Some(left) = read(scope, &before)?.take(user, code) else { return Ok(None) };
        if store::replace_recovery_codes(scope, tenant, user, &before, &written(&left)?).await? {
            return Ok(Some(left.left()));
        }
    }
    Ok(None)
}

/// Recovery codes as they are stored.
pub fn read(scope: &Scope, stored: &str) -> Result<RecoveryCodes, Problem> {
    serde_json::from_str(stored).map_err(|_| {
        log::error("second_factor", "recovery codes that cannot be read", Some(scope));
        Problem::internal()
    })
}

/// The same, to be stored.
pub fn written(codes: &RecoveryCodes) -> Result<String, Problem> {
    serde_json::to_string(codes).map_err(|_| Problem::internal())
}
