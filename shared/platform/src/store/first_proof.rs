//! What ends when an address is proven for the first time: everything that whoever made the account may have left in it.
//!
//! Each statement changes something only while the address is unproven and, where a mailed token is the proof, only while that
//! token is good. They are to stand in one transaction, before the statement that marks the address as proven.

use tollgate_domain::time::Timestamp;

use super::database::{Param, Statement};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    END_KEYS,
    END_SESSIONS,
    DROP_SECOND_FACTOR,
    DROP_CODES,
    DROP_LINKS,
    TEAM_CHANGES,
    REVOKE_INVITATIONS,
    LOWER_ROLES,
    DROP_SINGLE_SIGN_ON,
    DROP_MAILED,
    RAISE_PLANS,
];

/// A statement of `?2` the user, `?3` and `?4` kind and hash of the mailed token (both `NULL` where another party vouches for
/// the address), `?5` now.
macro_rules! before_first_proof {
    ($name:literal, $sql:literal) => {
        Statement {
            name: concat!("first_proof.", $name),
            sql: concat!(
                $sql,
                " AND EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND u.email_verified = 0) \
                 AND (?3 IS NULL OR EXISTS (SELECT 1 FROM mail_tokens m \
                   WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.kind = ?3 AND m.hash = ?4 AND m.expires_at > ?5))"
            ),
        }
    };
}

const END_KEYS: Statement = before_first_proof!(
    "end_keys",
    "UPDATE api_keys SET revoked_at = ?5 WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL"
);
const END_SESSIONS: Statement = before_first_proof!(
    "end_sessions",
    "UPDATE sessions SET revoked_at = ?5 WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL"
);
// With it go its recovery codes.
const DROP_SECOND_FACTOR: Statement =
    before_first_proof!("drop_second_factor", "DELETE FROM second_factors WHERE tenant_id = ?1 AND user_id = ?2");
// A sign-in that came back from a provider and was not exchanged yet.
const DROP_CODES: Statement =
    before_first_proof!("drop_codes", "DELETE FROM sign_in_codes WHERE tenant_id = ?1 AND user_id = ?2");
const DROP_LINKS: Statement =
    before_first_proof!("drop_links", "DELETE FROM provider_identities WHERE tenant_id = ?1 AND user_id = ?2");
// Whoever is joining at this moment, with an invitation that ends here, finds that the team has changed and decides again.
const TEAM_CHANGES: Statement = before_first_proof!(
    "team_changes",
    "INSERT INTO team_changes (tenant_id, version, at) \
     SELECT ?1, 1 + coalesce((SELECT max(c.version) FROM team_changes c WHERE c.tenant_id = ?1), 0), ?5 WHERE ?5 > 0"
);
// All that are open in a tenant whose founder is unproven, whoever sent them: who was invited first may have invited others.
const REVOKE_INVITATIONS: Statement = before_first_proof!(
    "revoke_invitations",
    "UPDATE invitations SET revoked_at = ?5 WHERE tenant_id = ?1 AND accepted_by IS NULL AND revoked_at IS NULL \
       AND (invited_by = ?2 OR EXISTS (SELECT 1 FROM users f WHERE f.tenant_id = ?1 AND f.user_id = ?2 \
         AND f.role = 'owner' AND f.home_tenant_id IS NULL))"
);
// Those who came into the tenant of an unproven founder stay, as plain members: the founder lifts them again, or puts them out.
const LOWER_ROLES: Statement = before_first_proof!(
    "lower_roles",
    "UPDATE users SET role = 'member' WHERE tenant_id = ?1 AND user_id <> ?2 AND role <> 'member' \
       AND EXISTS (SELECT 1 FROM users f WHERE f.tenant_id = ?1 AND f.user_id = ?2 \
         AND f.role = 'owner' AND f.home_tenant_id IS NULL)"
);
// A provider that was set up before the proof lets nobody in any more; domains were proven by DNS, and stay.
const DROP_SINGLE_SIGN_ON: Statement = before_first_proof!(
    "drop_single_sign_on",
    "DELETE FROM single_sign_on WHERE tenant_id = ?1 \
       AND EXISTS (SELECT 1 FROM users f WHERE f.tenant_id = ?1 AND f.user_id = ?2 \
         AND f.role = 'owner' AND f.home_tenant_id IS NULL)"
);
// But the one that is the proof: its own statement takes it out, and counts.
const DROP_MAILED: Statement = before_first_proof!(
    "drop_mailed",
    "DELETE FROM mail_tokens WHERE tenant_id = ?1 AND user_id = ?2 AND (?3 IS NULL OR kind <> ?3)"
);

// Meters are told of the proof, and take only what is newer than what they know.
const RAISE_PLANS: Statement = before_first_proof!(
    "raise_plans",
    "UPDATE subscriptions SET version = version + 1 WHERE tenant_id = ?1 AND user_id = ?2 AND plan IN ('trial', 'free')"
);

/// The statements with their parameters. `mailed` is kind and hash of the token that proves the address; `None` where another
/// party vouches for it.
pub(super) fn endings<'a>(
    user: &'a str,
    mailed: Option<(&'a str, &'a str)>,
    now: Timestamp,
) -> Vec<(Statement, Vec<Param<'a>>)> {
    STATEMENTS.iter().map(|statement| (*statement, parameters(user, mailed, now))).collect()
}

/// What happens at a first proof that ends nothing.
pub(super) fn of_its_maker<'a>(
    user: &'a str,
    mailed: Option<(&'a str, &'a str)>,
    now: Timestamp,
) -> Vec<(Statement, Vec<Param<'a>>)> {
    vec![(RAISE_PLANS, parameters(user, mailed, now))]
}

fn parameters<'a>(user: &'a str, mailed: Option<(&'a str, &'a str)>, now: Timestamp) -> Vec<Param<'a>> {
    vec![
        Param::Text(user),
        mailed.map(|(kind, _)| kind).into(),
        mailed.map(|(_, hash)| hash).into(),
        Param::Int(now.as_millis()),
    ]
}
