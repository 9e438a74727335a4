//! Signing in through another party: OAuth 2.0 with PKCE, `OpenID` Connect, and what of it is believed.
//!
//! ```text
//!  browser ─ start ─▶ flow stored ─ 302 ─▶ provider ─ 302 ─▶ callback ─▶ flow taken out, once
//!                     (10 minutes)                             │ state, browser, iss        [`Flow::check`]
//!                                                              ▼
//!                                          code + verifier ─▶ provider ─▶ ID token          [`id_token`]
//!                                                              │ signature, iss, aud, nonce, time
//!                                                              ▼
//!                                                    whose account is it?                   [`decide`]
//! ```
//!
//! What is checked, and why, follows RFC 9700 (OAuth 2.0 security), `OpenID` Connect Core 1.0, section 3.1.3.7, and RFC 9207
//! (mix-up).

pub mod domain_name;
mod flow;
pub mod id_token;
mod issuer;
mod jwk;
mod link;

pub use domain_name::{InvalidDomain, TeamDomain};
pub use flow::{Callback, FLOW_MS, Flow, RefusedCallback, SIGN_IN_CODE_MS, challenge, return_to};
pub use id_token::{Claims, Expected, IdToken, RefusedToken};
pub use issuer::{InvalidIssuer, Issuer, Reach, is_sound_endpoint};
pub use jwk::{Algorithm, KeySet, RefusedKey};
pub use link::{Known, Person, RefusedLink, Way, decide};
