//! Which function answers which addresses.

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// To the function behind that service binding.
    Function(&'static str),
    /// `GET /health`
    Health,
    /// `GET /health/ready`
    Ready,
    /// The OpenAPI document and its page.
    Assets,
    /// `GET /__dev/cost/{request_id}`, local only.
    Cost(&'a str),
    /// `POST /__dev/cron` and `GET /__dev/outbox`, local only: to the function behind that service binding.
    Dev(&'static str),
}

/// First segment of the path, and the binding of its function.
#[rustfmt::skip] // one line a function: whoever adds one changes no other line
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("admin", "USAGE"),
    ("audit", "AUDIT"),
    ("auth", "AUTH"),
    ("subscription", "BILLING"),
    ("team", "TEAM"),
    ("usage", "USAGE"),
    ("user", "USER"),
    ("v1", "CHAT"),
    ("webhooks", "STRIPE_WEBHOOK"),
];

/// The first two segments of paths that another function answers than the one that has the first.
#[rustfmt::skip] // one line each: whoever adds one changes no other line
const WITHIN: &[(&str, &str)] = &[
    ("admin/jobs", "CRON"),
    ("admin/mails", "NOTIFY"),
    ("admin/stripe-events", "STRIPE_WEBHOOK"),
    ("auth/identities", "OAUTH"),
    ("auth/oauth", "OAUTH"),
    ("auth/password", "CREDENTIALS"),
    ("auth/sso", "SSO"),
    ("auth/totp", "CREDENTIALS"),
    ("team/sso", "TEAM_SSO"),
    ("user/export", "PRIVACY"),
    ("user/upgrade-subscription", "BILLING"),
];

/// The binding of every function, once: some answer several first segments.
pub fn bindings() -> impl Iterator<Item = &'static str> {
    let all = || FUNCTIONS.iter().chain(WITHIN);
    let first = move |at: usize, binding: &str| all().position(|(_, other)| *other == binding) == Some(at);
    all().enumerate().filter(move |(at, (_, binding))| first(*at, binding)).map(|(_, (_, binding))| *binding)
}

/// Where a path goes; `None` when nothing is there.
pub fn target(path: &str) -> Option<Target<'_>> {
    match path {
        "/health" => return Some(Target::Health),
        "/health/ready" => return Some(Target::Ready),
        "/__dev/cron" => return Some(Target::Dev("CRON")),
        "/__dev/outbox" => return Some(Target::Dev("NOTIFY")),
        // Whoever deletes an account, or exports it, needs more of the platform than the rest of `/user`.
        "/user" => return Some(Target::Function("PRIVACY")),
        "/openapi.json" | "/api/docs" => return Some(Target::Assets),
        _ => {}
    }
    if path.starts_with("/api/docs/") {
        return Some(Target::Assets);
    }
    if let Some(id) = path.strip_prefix("/__dev/cost/") {
        return Some(Target::Cost(id));
    }
    let path = path.get(1..)?;
    let second = path.match_indices('/').nth(1).map_or(path, |(at, _)| &path[..at]);
    if let Some((_, binding)) = WITHIN.iter().find(|(segments, _)| *segments == second) {
        return Some(Target::Function(binding));
    }
    let first = path.split('/').next()?;
    FUNCTIONS.iter().find(|(segment, _)| *segment == first).map(|(_, binding)| Target::Function(binding))
}

/// The path of an absolute URL, without its query.
pub fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(after_scheme..).and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_names_the_function() {
        assert_eq!(target("/auth/register"), Some(Target::Function("AUTH")));
        assert_eq!(target("/auth/totp"), Some(Target::Function("CREDENTIALS")));
        assert_eq!(target("/auth/totp/enroll"), Some(Target::Function("CREDENTIALS")));
        assert_eq!(target("/auth/totpx"), Some(Target::Function("AUTH")));
        assert_eq!(target("/auth"), Some(Target::Function("AUTH")));
        assert_eq!(target("/v1/chat/completions"), Some(Target::Function("CHAT")));
        assert_eq!(target("/team/invites"), Some(Target::Function("TEAM")));
        assert_eq!(target("/auth/oauth/github/start"), Some(Target::Function("OAUTH")));
        assert_eq!(target("/auth/identities"), Some(Target::Function("OAUTH")));
        assert_eq!(target("/auth/identitiesx"), Some(Target::Function("AUTH")));
        assert_eq!(target("/team/sso"), Some(Target::Function("TEAM_SSO")));
        assert_eq!(target("/admin/jobs/clean_up/run"), Some(Target::Function("CRON")));
        assert_eq!(target("/admin/mails"), Some(Target::Function("NOTIFY")));
        assert_eq!(target("/user"), Some(Target::Function("PRIVACY")));
        assert_eq!(target("/user/profile"), Some(Target::Function("USER")));
        assert_eq!(target("/user/upgrade-subscription"), Some(Target::Function("BILLING")));
        assert_eq!(target("/subscription"), Some(Target::Function("BILLING")));
        assert_eq!(target("/webhooks/stripe"), Some(Target::Function("STRIPE_WEBHOOK")));
        assert_eq!(target("/admin/stripe-events/evt_1/replay"), Some(Target::Function("STRIPE_WEBHOOK")));
        assert_eq!(target("/health"), Some(Target::Health));
        assert_eq!(target("/api/docs/rapidoc-min.js"), Some(Target::Assets));
        assert_eq!(target("/__dev/cost/req_1"), Some(Target::Cost("req_1")));
        assert_eq!(target("/__dev/cron"), Some(Target::Dev("CRON")));
        assert_eq!(target("/__dev/outbox"), Some(Target::Dev("NOTIFY")));
        for path in ["/", "/authx", "/internal/credentials", "/internal", "/meter/x", "//auth/login", "", "/AUTH/login"]
        {
            assert_eq!(target(path), None, "{path}");
        }
    }

    #[test]
    fn a_function_of_several_segments_is_bound_once() {
        let bound: Vec<_> = bindings().collect();
        let once: std::collections::BTreeSet<_> = FUNCTIONS.iter().chain(WITHIN).map(|(_, binding)| *binding).collect();
        assert_eq!(bound.len(), once.len());
        assert!(once.iter().all(|binding| bound.contains(binding)));
    }

    #[test]
    fn a_path_ends_where_its_query_begins() {
        assert_eq!(path_of("http://127.0.0.1:8787/usage/quota?fresh=true"), "/usage/quota");
        assert_eq!(path_of("https://example.com"), "/");
        assert_eq!(path_of("https://example.com/a#b"), "/a");
    }
}
