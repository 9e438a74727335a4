//! Opening a session and answering its tokens.

use js_sys::Reflect;
use tollgate_api::account::{SignedInOut, TenantOut, TokensOut, UserOut};
use tollgate_domain::{
    account::Role,
    audit::Action,
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};
use tollgate_platform::{
    Problem, Scope,
    identity::{ACCESS_TOKEN_SECONDS, AccessClaims, REFRESH_TOKEN_MS, RefreshToken, SigningKey, TagKey, issue},
    log, random, settings,
    store::{self, NewSession},
};
use wasm_bindgen::JsValue;

use crate::{
    mailed::{self, Notice},
    noted,
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

/// Opens a session for a user whose password was looked at, and answers who it is and with which tokens. `None` when the
/// password is another one by now.
pub async fn sign_in(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    password_hash: &str,
) -> Result<Option<SignedInOut>, Problem> {
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
            password_hash,
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
    noted::of_session(scope, tenant, user, Action::SignIn, session).await;
    let row = store::profile(scope, tenant, user, session).await?.ok_or_else(Problem::internal)?;
    let role = Role::parse(&row.role).ok_or_else(Problem::internal)?;
    let product = Product::parse(&row.product).ok_or_else(Problem::internal)?;
    let tokens = tokens(scope, AccessClaims { user, tenant, session, role, product }, &refresh, now)?;
    if is_new_device {
        let device = device.unwrap_or_else(|| "A device without a name".to_owned());
        let notice = Notice::NewDevice { device, from: place.in_words() };
        mailed::tell(scope, tenant, format!("new_device {session}"), row.email.clone(), notice);
    }
    Ok(Some(SignedInOut {
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
    }))
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
