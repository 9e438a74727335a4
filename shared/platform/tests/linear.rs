//! Whatever the internet sends, reading it costs what it is long: bodies, headers, tokens, cursors, addresses.
//!
//! Counted are allocations and their bytes over inputs of twice the size each (`shared/providers/tests/linear.rs` has the chat's
//! own bodies and what providers stream). What only compares without allocating was read: these parsers have no search within
//! a search.

use std::hint::black_box;

use tollgate_allocations::{Counting, cost};
use tollgate_api::{Validate, account, api_keys, config, input::from_json, notifications, subscription, team, totp};
use tollgate_domain::{
    account::{Email, check_password},
    api_key::{Scopes, Token},
    federation::{
        Algorithm, Expected, IdToken, Issuer, KeySet, Reach, TeamDomain, domain_name, id_token, is_sound_endpoint,
        return_to,
    },
    id::UserId,
    mail::Unsubscribe,
    page::{NumberCursor, UsageCursor},
    stripe_api::Event,
    stripe_signature,
    team::InvitationToken,
    time::Timestamp,
    totp::{Code, RecoveryCode},
    trial::PersonKey,
};
use tollgate_platform::{
    http::{Page, cookie, csv_text, instant},
    identity::{MailToken, MailTokenKind, RefreshToken, VerifyingKeys, verify},
};

#[global_allocator]
static COUNTING: Counting = Counting;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn doubling(what: &str, read: &dyn Fn(&str), input: &dyn Fn(usize) -> String) {
    // What is made once and kept is not counted.
    read(&input(10));
    let costs: Vec<_> = [1_000, 2_000, 4_000, 8_000, 16_000]
        .into_iter()
        .map(|n| {
            let input = input(n);
            cost(|| read(&input))
        })
        .collect();
    for pair in costs.windows(2) {
        let ((allocations, bytes), (more_allocations, more_bytes)) = (pair[0], pair[1]);
        assert!(
            more_allocations <= allocations * 22 / 10 + 100,
            "{what}: {allocations} allocations, then {more_allocations}"
        );
        assert!(more_bytes <= bytes * 3 + 20_000, "{what}: {bytes} bytes, then {more_bytes}");
    }
}

/// Where some route looks for something.
const NAMES: [&str; 16] = [
    "email",
    "password",
    "name",
    "token",
    "refresh_token",
    "code",
    "product",
    "plan",
    "interval",
    "return_url",
    "role",
    "domain",
    "issuer",
    "client_id",
    "client_secret",
    "expires_at",
];

fn each(value: &str) -> String {
    format!("{{{}}}", NAMES.map(|name| format!(r#""{name}":{value}"#)).join(","))
}

fn members(n: usize) -> String {
    format!("{{{}}}", (0..n).map(|n| format!(r#""k{n}":{n}"#)).collect::<Vec<_>>().join(","))
}

/// A kind of input, and one of a size.
type Kind = (&'static str, fn(usize) -> String);

const BODIES: [Kind; 11] = [
    ("many members", members),
    ("one member again and again", |n| format!("{{{}}}", vec![r#""name":"x""#; n].join(","))),
    ("long texts", |n| each(&format!("\"{}\"", "x".repeat(n)))),
    ("long addresses", |n| each(&format!("\"{}@{}.com\"", "a.".repeat(n), "b.".repeat(n)))),
    ("long texts of blanks and accents", |n| each(&format!("\"{}\"", " e\u{301}".repeat(n)))),
    ("escapes", |n| each(&format!("\"{}\"", r"\u00e9".repeat(n)))),
    ("long numbers", |n| each(&"9".repeat(n))),
    ("long lists", |n| {
        format!(r#"{{"name":"x","scopes":[{0}],"domains":[{0}],"limits":[{0}]}}"#, vec!["\"chat\""; n].join(","))
    }),
    ("deep lists", |n| "[".repeat(n)),
    ("deep objects", |n| r#"{"name":"#.repeat(n)),
    ("blanks", |n| format!("{}{{}}", " ".repeat(n))),
];

fn body<T: serde::de::DeserializeOwned + Validate>(what: &str) {
    for (kind, input) in BODIES {
        let read = |text: &str| {
            black_box(from_json::<T>(text.as_bytes()).is_ok());
        };
        doubling(&format!("{what}, {kind}"), &read, &input);
    }
}

#[test]
fn the_bodies_of_all_routes_are_read_in_one_pass() {
    body::<account::RegisterIn>("register");
    body::<account::LoginIn>("login");
    body::<account::ChangePasswordIn>("change password");
    body::<account::RefreshIn>("refresh");
    body::<account::TokenIn>("token");
    body::<account::EmailIn>("email");
    body::<account::ResetPasswordIn>("reset password");
    body::<account::DeleteUserIn>("delete user");
    body::<account::SignInCodeIn>("sign-in code");
    body::<account::ProfilePatch>("profile");
    body::<totp::EnrollIn>("enroll");
    body::<totp::CodeIn>("code");
    body::<notifications::NotificationsIn>("notifications");
    body::<subscription::CheckoutIn>("checkout");
    body::<subscription::SubscriptionPatch>("subscription");
    body::<subscription::PortalIn>("portal");
    body::<team::TeamPatch>("team");
    body::<team::MemberPatch>("member");
    body::<team::InviteIn>("invite");
    body::<team::AcceptIn>("accept");
    body::<team::SsoIn>("single sign-on");
    body::<team::DomainIn>("domain");
    body::<config::ConfigIn>("config");
    body::<api_keys::ApiKeyIn>("API key");
    body::<api_keys::RotateIn>("rotate");
}

/// A parser, by its name: whether it takes a text.
type Parser = (&'static str, fn(&str) -> bool);

const PARSERS: &[Parser] = &[
    ("a cookie", |text| cookie(text, "tollgate_device").is_some()),
    ("an access token", |text| verify(&VerifyingKeys::from_jwks(r#"{"keys":[]}"#), text, NOW).is_ok()),
    ("an API key", |text| Token::parse(text).is_ok()),
    ("an API key's rest", |text| Token::parse(&format!("tg_live_{text}")).is_ok()),
    ("scopes", |text| Scopes::parse(text.split(' ')).is_ok()),
    ("an id token", |text| {
        let expected = Expected { issuer: "https://a.example", client_id: "us", nonce: "n", now: NOW };
        IdToken::parse(text).and_then(|token| token.claims(&expected)).is_ok()
    }),
    ("a key set", |text| {
        KeySet::parse(text.as_bytes()).is_some_and(|keys| keys.find(Some("k"), Algorithm::Es256).is_ok())
    }),
    ("what is told of a user", |text| id_token::from_userinfo(text.as_bytes(), "x").is_some()),
    ("an issuer", |text| Issuer::parse(text, Reach::Internet).is_ok()),
    ("an endpoint", |text| is_sound_endpoint(text, Reach::Internet)),
    ("an address to return to", |text| return_to(text, "https://api.example.com", false).is_some()),
    ("a team's domain", |text| TeamDomain::parse(text).is_ok()),
    ("a DNS answer", |text| domain_name::proves(text.as_bytes(), "t").is_some()),
    ("an e-mail address", |text| {
        Email::parse(text).is_ok_and(|email| {
            black_box(PersonKey::of(&email));
            TeamDomain::of(&email).is_some()
        })
    }),
    ("a password", |text| Email::parse("a@example.com").is_ok_and(|email| check_password(text, &email).is_ok())),
    ("a refresh token", |text| RefreshToken::parse(text).is_some()),
    ("a token in a mail", |text| MailToken::parse(MailTokenKind::VerifyEmail, text).is_some()),
    ("a link out of a mail", |text| Unsubscribe::read(text).is_some()),
    ("an invitation", |text| InvitationToken::parse(text).is_some()),
    ("a one-time code", |text| Code::parse(text).is_ok()),
    ("a recovery code", |text| RecoveryCode::parse(text).is_some()),
    ("a cursor", |text| text.parse::<UsageCursor>().is_ok() || text.parse::<NumberCursor>().is_ok()),
    ("an id", |text| text.parse::<UserId>().is_ok()),
    ("an instant", |text| instant("from", text).is_ok()),
    ("a cell", |text| csv_text(text).is_empty()),
    ("a query", |text| {
        let uri = format!("/x?{text}").parse::<http::Uri>();
        uri.is_ok_and(|uri| axum::extract::Query::<Page>::try_from_uri(&uri).is_ok())
    }),
    ("Stripe's header", |text| stripe_signature::verify(text, b"body", &["whsec_x", "whsec_y"], NOW).is_ok()),
    ("Stripe's body", |text| {
        let header = format!("t={},v1={}", NOW.as_seconds(), "0".repeat(64));
        stripe_signature::verify(&header, text.as_bytes(), &["whsec_x"], NOW).is_ok()
            || Event::read(text.as_bytes()).is_some()
    }),
    ("what a writer has seen", |text| config::Precondition::read(Some(text), Some(text)).is_ok()),
];

const TEXTS: [Kind; 16] = [
    ("letters", |n| "a".repeat(n)),
    ("digits", |n| "7".repeat(n)),
    ("dots", |n| "a.".repeat(n)),
    ("an address", |n| format!("https://{}/{}?{}#x", "a.".repeat(n), "%2e%2e/".repeat(n), "x=y&".repeat(n))),
    ("mail addresses", |n| format!("{}@{}com", "a+".repeat(n), "b.".repeat(n))),
    ("punycode", |n| format!("x@xn--{}.com", "a9".repeat(n))),
    ("blanks", |n| " ".repeat(n)),
    ("pairs", |n| "a=b; ".repeat(n)),
    ("parameters", |n| (0..n).flat_map(|n| ["k".to_owned(), n.to_string(), "=v&".to_owned()]).collect()),
    ("one parameter", |n| "limit=1&".repeat(n)),
    ("escapes", |n| "cursor=%41".repeat(n)),
    ("signatures", |n| format!("t=1700000000{}", format!(",v1={}", "0".repeat(64)).repeat(n))),
    ("instants", |n| "t=1700000000,".repeat(n)),
    ("JSON members", members),
    ("keys", |n| format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"EC","kid":"k","crv":"P-256"}"#; n].join(","))),
    ("accents", |n| "e\u{301}\u{fb01}".repeat(n)),
];

#[test]
fn headers_tokens_cursors_and_addresses_are_read_in_one_pass() {
    for (parser, read) in PARSERS {
        for (kind, input) in TEXTS {
            let read = |text: &str| {
                black_box(read(text));
            };
            doubling(&format!("{parser}, {kind}"), &read, &input);
        }
    }
}
