//! Opening a session. Any function may; the access token for it comes from `auth`, which alone can sign one.

use js_sys::Reflect;
use serde::Deserialize;
use tollgate_api::{
    Problem,
    account::{SignedInOut, TenantOut, TokensOut, UserOut},
};
use tollgate_domain::{
    account::Role,
    audit::{Action, Actor, Outcome},
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};
use wasm_bindgen::JsValue;

use crate::{
    Scope,
    account::mailed::{self, Notice},
    audit,
    identity::{AccessClaims, REFRESH_TOKEN_MS, RefreshToken, TagKey},
    log, random, service,
    store::{self, NewSession},
};

/// The longest device name that is kept, in bytes.
const MAX_USER_AGENT_BYTES: usize = 300;

/// The longest part of a place that is kept, in bytes.
const MAX_PLACE_BYTES: usize = 100;

/// What the place of a request is called, as far as the edge knows.
struct Place {
    address: Option<String>,
    country: Option<String>,
    city: Option<String>,
}

impl Place {
    fn of(scope: &Scope) -> Self {
        let cf = Reflect::get(scope.request(), &JsValue::from_str("cf")).unwrap_or_default();
        let text = |name: &str| {
            let value = Reflect::get(&cf, &JsValue::from_str(name)).ok()?.as_string()?;
            Some(cut(value, MAX_PLACE_BYTES)).filter(|text| !text.is_empty())
        };
        let known = cf.is_object();
        Self {
            address: scope.header("cf-connecting-ip").map(|address| cut(address, MAX_PLACE_BYTES)),
            country: known.then(|| text("country")).flatten(),
            city: known.then(|| text("city")).flatten(),
        }
    }

    /// In words, for a mail.
    fn in_words(&self) -> Option<String> {
        let words: Vec<&str> =
            [&self.address, &self.city, &self.country].into_iter().filter_map(|part| part.as_deref()).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

fn cut(mut text: String, bytes: usize) -> String {
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

/// A session that was opened: who signed in, and what its first tokens are made of.
#[derive(Debug)]
pub struct Opened {
    /// Who.
    pub user: UserOut,
    /// Into which tenant.
    pub tenant: TenantOut,
    /// What an access token of the session says.
    pub access: AccessClaims,
    /// The session's first refresh token.
    pub refresh: RefreshToken,
}

impl Opened {
    /// The answer of a sign-in with these tokens.
    pub fn with(self, tokens: TokensOut) -> SignedInOut {
        SignedInOut { user: self.user, tenant: self.tenant, tokens }
    }
}

/// Opens a session for a user who proved who they are: `through` a provider of that name, or, without one, by their password.
/// `credential` is the stored hash of the password as it was when the proof was looked at; an account without a password
/// has one that nothing fits. `None` when it is another one by now: what set it anew ended every session.
///
/// # Errors
/// 503 when the database cannot be written.
pub async fn open(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    credential: &str,
    through: Option<&str>,
) -> Result<Option<Opened>, Problem> {
    let now = scope.now();
    let session = SessionId::new(now, random::entropy()?);
    let key = TagKey::new(random::bytes()?);
    let refresh = RefreshToken::new(tenant, session, &key, random::bytes()?);
    let device = scope.header("user-agent").map(|name| cut(name, MAX_USER_AGENT_BYTES));
    let place = Place::of(scope);
    let is_new_device = store::is_new_device(scope, tenant, user, device.as_deref()).await?;
    let opened = store::open_session(
        scope,
        &NewSession {
            id: session,
            tenant,
            user,
            password_hash: credential,
            refresh_hash: &refresh.hash(),
            tag_key: &key.reveal(),
            user_agent: device.as_deref(),
            address: place.address.as_deref(),
            country: place.country.as_deref(),
            city: place.city.as_deref(),
            now,
            expires_at: now.plus_millis(REFRESH_TOKEN_MS),
        },
    )
    .await?;
    if !opened {
        return Ok(None);
    }
    let (by, id) = (Actor::User { id: user }, Some(session.to_string()));
    let entry = audit::entry(scope, by, Action::SignIn, "session", id, Outcome::Success);
    let entry = match through {
        Some(name) => entry.with("through", name),
        None => entry,
    };
    audit::record(scope, tenant, &entry).await;
    let row = store::profile(scope, tenant, user, session).await?.ok_or_else(Problem::internal)?;
    let role = Role::parse(&row.role).ok_or_else(Problem::internal)?;
    let product = Product::parse(&row.product).ok_or_else(Problem::internal)?;
    if is_new_device {
        let device = device.unwrap_or_else(|| "A device without a name".to_owned());
        let notice = Notice::NewDevice { device, from: place.in_words() };
        mailed::tell(scope, tenant, format!("new_device {session}"), row.email.clone(), notice);
    }
    Ok(Some(Opened {
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
        access: AccessClaims { user, tenant, session, role, product },
        refresh,
    }))
}

#[derive(Deserialize)]
struct Pair {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// The pair of tokens for a session that this function opened: `auth` is asked to refresh it, over the service binding `AUTH`.
/// The refresh token that goes in is dead afterwards.
///
/// # Errors
/// 503 when `auth` cannot be reached or does not answer tokens.
pub async fn tokens_from_auth(scope: &Scope, refresh: &RefreshToken) -> Result<TokensOut, Problem> {
    let failed = |why: &str| {
        log::error("sign_in", &format!("auth: {why}"), Some(scope));
        Problem::dependency("auth")
    };
    let body = serde_json::json!({"refresh_token": refresh.reveal()}).to_string();
    let (status, body) =
        service::post(scope, "AUTH", "/auth/refresh", &body).await.map_err(|error| failed(&format!("{error:?}")))?;
    // The body has tokens in it: it is not logged.
    if status != 200 {
        return Err(failed(&format!("answered {status}")));
    }
    let pair: Pair = serde_json::from_slice(&body).map_err(|_| failed("answered no tokens"))?;
    Ok(TokensOut {
        access_token: pair.access_token,
        refresh_token: pair.refresh_token,
        token_type: "Bearer",
        expires_in: pair.expires_in,
    })
}
