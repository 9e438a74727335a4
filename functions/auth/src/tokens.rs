//! Opening a session and answering its tokens.

use tollgate_api::account::{SignedInOut, TenantOut, TokensOut, UserOut};
use tollgate_domain::{
    account::Role,
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};
use tollgate_platform::{
    Problem, Scope,
    identity::{ACCESS_TOKEN_SECONDS, AccessClaims, REFRESH_TOKEN_MS, RefreshToken, SigningKey, issue},
    log, random, settings,
    store::{self, NewSession},
};

/// The longest device name that is kept, in bytes.
const MAX_USER_AGENT_BYTES: usize = 300;

/// Opens a session for a user and answers who it is and with which tokens.
pub async fn sign_in(scope: &Scope, tenant: TenantId, user: UserId) -> Result<SignedInOut, Problem> {
    let now = scope.now();
    let session = SessionId::new(now, random::entropy()?);
    let refresh = RefreshToken::new(tenant, session, random::bytes()?);
    let device = scope.header("user-agent").map(|mut name| {
        let end = (0..=MAX_USER_AGENT_BYTES).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
        name
    });
    store::open_session(
        scope,
        &NewSession {
            id: session,
            tenant,
            user,
            refresh_hash: &refresh.hash(),
            user_agent: device.as_deref(),
            now,
            expires_at: now.plus_millis(REFRESH_TOKEN_MS),
        },
    )
    .await?;
    let row = store::profile(scope, tenant, user, session).await?.ok_or_else(Problem::internal)?;
    let role = Role::parse(&row.role).ok_or_else(Problem::internal)?;
    let product = Product::parse(&row.product).ok_or_else(Problem::internal)?;
    let tokens = tokens(scope, AccessClaims { user, tenant, session, role, product }, &refresh, now)?;
    Ok(SignedInOut {
        user: UserOut {
            id: user,
            email: row.email,
            email_verified: row.email_verified != 0,
            name: row.name,
            tenant_id: tenant,
            role: row.role,
            created_at: Timestamp::from_millis(row.created_at),
        },
        tenant: TenantOut {
            id: tenant,
            name: row.tenant_name,
            created_at: Timestamp::from_millis(row.tenant_created_at),
        },
        tokens,
    })
}

/// A pair of tokens for a session.
pub fn tokens(
    scope: &Scope,
    access: AccessClaims,
    refresh: &RefreshToken,
    now: Timestamp,
) -> Result<TokensOut, Problem> {
    let access_token = settings::text(scope.env(), "SIGNING_KEY")
        .and_then(|jwk| SigningKey::from_jwk(&jwk))
        .and_then(|key| issue(&key, access, now))
        .ok_or_else(|| {
            log::error("tokens", "SIGNING_KEY is missing or no Ed25519 JWK with kid and d", Some(scope));
            Problem::internal()
        })?;
    Ok(TokensOut {
        access_token,
        refresh_token: refresh.reveal(),
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_SECONDS,
    })
}
