//! What is kept about a user: every table, what an export shows of it, and what a deletion does to it.
//!
//! A table that is not declared in [`TABLES`] fails a test (`tests/sql-proof`), and so does a column that is neither shown nor
//! withheld for a reason, or that still names a user after a deletion.

use serde::Deserialize;
use tollgate_domain::{
    deletion::{Extent, Removed, Store},
    id::{TenantId, UserId},
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// What an export shows of a table.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Rows with these columns. `?2` is who, and `(?3, ?4)` is after which row.
    Rows {
        /// The statement.
        statement: Statement,
        /// Who `?2` is.
        of: Of,
        /// What is shown.
        columns: &'static [&'static str],
        /// What is not, and why.
        withheld: &'static [(&'static str, &'static str)],
    },
    /// Nothing, and why.
    Nothing(&'static str),
}

/// Whose rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The user's, by id.
    User,
    /// Those that name the user's address.
    Address,
}

/// A table, as far as it is about somebody.
#[derive(Debug, Clone, Copy)]
pub struct Personal {
    /// Its name.
    pub table: &'static str,
    /// What an export shows.
    pub shown: Shown,
    /// What a deletion of one member does. `?2` is the user, `?3` the pseudonym.
    pub member: &'static [Statement],
    /// Why rows stay when a member is deleted, or another way in which they go.
    pub note: &'static str,
    /// What a deletion of the whole tenant does.
    pub tenant: Option<Statement>,
}

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    TENANT,
    USER,
    CONFIG,
    SESSIONS,
    KEYS,
    TOKENS,
    MAILS,
    INVITATIONS,
    SUBSCRIPTIONS,
    EVENTS,
    MARKS,
    AUDIT,
    M_USERS,
    M_SESSIONS,
    M_KEYS,
    M_TOKENS,
    M_CONFIG,
    M_PLAN,
    M_SUBSCRIPTIONS,
    M_EVENTS,
    M_HOURS,
    M_MARKS,
    M_INVITED,
    M_ARRIVALS,
    M_ACCEPTED,
    T_TENANTS,
    T_USERS,
    T_SESSIONS,
    T_API_KEYS,
    T_MAIL_TOKENS,
    T_USER_CONFIGS,
    T_SUBSCRIPTIONS,
    T_USAGE_EVENTS,
    T_USAGE_HOURLY,
    T_USAGE_DIRTY_HOURS,
    T_QUOTA_MARKS,
    T_MAILS,
    T_INVITATIONS,
    T_TEAM_CHANGES,
    T_AUDIT,
    T_ARRIVALS,
    LINKS,
    M_PROVIDER_IDENTITIES,
    T_PROVIDER_IDENTITIES,
    SECOND_FACTOR,
    M_SECOND_FACTORS,
    T_SECOND_FACTORS,
    T_DATA_KEYS,
    M_SIGN_IN_CODES,
    T_SIGN_IN_CODES,
    T_SINGLE_SIGN_ON,
    T_SIGN_ON_DOMAINS,
    M_IDEMPOTENT_ANSWERS,
    T_IDEMPOTENT_ANSWERS,
    T_BILLING_CUSTOMERS,
    T_BILLING_FORMER_CUSTOMERS,
    M_BILLING,
    T_BILLING_STATES,
    T_BILLING_CHANGES,
    T_BILLING_CHECKOUTS,
    T_OVERAGE_PERIODS,
    PREFERENCES,
    M_PREFERENCES,
    T_PREFERENCES,
    T_USAGE_STATEMENTS,
    M_MAILS,
    COUNT_MEMBER,
    COUNT_TENANT,
    FORGET_MAILS,
    FORGET_INVITATIONS,
    FORGET_NAME,
    OWNERS,
    ALONE,
];

const TENANT: Statement = Statement {
    name: "personal.tenants",
    sql: "SELECT t.tenant_id AS key, 0 AS number, json_object('tenant_id', t.tenant_id, 'name', t.name, 'created_at', \
          t.created_at) AS row FROM tenants t WHERE t.tenant_id = ?1 AND ?2 IS NOT NULL AND (t.tenant_id, 0) > (?3, ?4) \
          ORDER BY t.tenant_id LIMIT ?5",
};
const USER: Statement = Statement {
    name: "personal.users",
    sql: "SELECT u.user_id AS key, 0 AS number, json_object('tenant_id', u.tenant_id, 'user_id', u.user_id, 'email', \
          u.email, 'email_verified', u.email_verified, 'name', u.name, 'role', u.role, 'product', u.product, 'created_at', \
          u.created_at, 'home_tenant_id', u.home_tenant_id, 'joined_at', u.joined_at) AS row FROM users u WHERE \
          u.tenant_id = ?1 AND u.user_id = ?2 AND (u.user_id, 0) > (?3, ?4) ORDER BY u.user_id LIMIT ?5",
};
const CONFIG: Statement = Statement {
    name: "personal.user_configs",
    sql: "SELECT c.user_id AS key, 0 AS number, json_object('version', c.version, 'settings', c.settings, 'updated_at', \
          c.updated_at) AS row FROM user_configs c WHERE c.tenant_id = ?1 AND c.user_id = ?2 AND (c.user_id, 0) > (?3, ?4) \
          ORDER BY c.user_id LIMIT ?5",
};
const SESSIONS: Statement = Statement {
    name: "personal.sessions",
    sql: "SELECT s.session_id AS key, 0 AS number, json_object('session_id', s.session_id, 'user_agent', s.user_agent, \
          'address', s.address, 'country', s.country, 'city', s.city, 'created_at', s.created_at, 'refreshed_at', \
          s.refreshed_at, 'expires_at', s.expires_at, 'revoked_at', s.revoked_at) AS row FROM sessions s WHERE s.tenant_id \
          = ?1 AND s.user_id = ?2 AND (s.session_id, 0) > (?3, ?4) ORDER BY s.session_id LIMIT ?5",
};
const KEYS: Statement = Statement {
    name: "personal.api_keys",
    sql: "SELECT k.key_id AS key, 0 AS number, json_object('key_id', k.key_id, 'product', k.product, 'name', k.name, \
          'last_four', k.last_four, 'scopes', k.scopes, 'per_minute', k.per_minute, 'created_at', k.created_at, \
          'expires_at', k.expires_at, 'revoked_at', k.revoked_at, 'replaced_by', k.replaced_by, 'last_used_at', \
          k.last_used_at) AS row FROM api_keys k WHERE k.tenant_id = ?1 AND k.user_id = ?2 AND (k.key_id, 0) > (?3, ?4) \
          ORDER BY k.key_id LIMIT ?5",
};
const TOKENS: Statement = Statement {
    name: "personal.mail_tokens",
    sql: "SELECT t.kind AS key, 0 AS number, json_object('kind', t.kind, 'created_at', t.created_at, 'expires_at', \
          t.expires_at) AS row FROM mail_tokens t WHERE t.tenant_id = ?1 AND t.user_id = ?2 AND (t.kind, 0) > (?3, ?4) \
          ORDER BY t.kind LIMIT ?5",
};
const MAILS: Statement = Statement {
    name: "personal.mails",
    sql: "SELECT m.event AS key, 0 AS number, json_object('event', m.event, 'kind', m.kind, 'recipient', m.recipient, \
          'created_at', m.created_at, 'sent_at', m.sent_at) AS row FROM mails m WHERE m.tenant_id = ?1 AND m.recipient = \
          ?2 AND (m.event, 0) > (?3, ?4) ORDER BY m.event LIMIT ?5",
};
const INVITATIONS: Statement = Statement {
    name: "personal.invitations",
    sql: "SELECT i.invitation_id AS key, 0 AS number, json_object('tenant_id', i.tenant_id, 'invitation_id', \
          i.invitation_id, 'role', i.role, 'expires_at', i.expires_at, 'accepted_by', i.accepted_by, 'revoked_at', \
          i.revoked_at) AS row FROM invitations i WHERE i.tenant_id = ?1 AND i.invited_by = ?2 AND (i.invitation_id, 0) > \
          (?3, ?4) ORDER BY i.invitation_id LIMIT ?5",
};
const SUBSCRIPTIONS: Statement = Statement {
    name: "personal.subscriptions",
    sql: "SELECT b.product AS key, 0 AS number, json_object('tenant_id', b.tenant_id, 'product', b.product, 'plan', \
          b.plan, 'version', b.version, 'anchor_at', b.anchor_at, 'trial_started_at', b.trial_started_at, 'trial_ends_at', \
          b.trial_ends_at, 'limits', b.limits, 'seats', b.seats, \
          'plan_version', b.plan_version, 'ended_at', b.ended_at, 'billing_status', b.billing_status, 'card_trial_ends_at', b.card_trial_ends_at, \
          'trial_denied_by', b.trial_denied_by) AS row FROM subscriptions b WHERE b.tenant_id = ?1 AND \
          b.user_id = ?2 AND (b.product, 0) > (?3, ?4) ORDER BY b.product LIMIT ?5",
};
const EVENTS: Statement = Statement {
    name: "personal.usage_events",
    sql: "SELECT e.product AS key, e.seq AS number, json_object('tenant_id', e.tenant_id, 'product', e.product, 'seq', \
          e.seq, 'at', e.at, 'reservation_id', e.reservation_id, 'superseded', e.superseded, 'requests', e.requests, \
          'tokens', e.tokens, 'emails', e.emails, 'function', e.function, 'provider', e.provider, 'model', e.model, \
          'prompt_tokens', e.prompt_tokens, 'completion_tokens', e.completion_tokens, 'estimated', e.estimated, \
          'cost_microusd', e.cost_microusd, 'request_id', e.request_id, 'outcome', e.outcome, 'api_key_id', e.api_key_id) \
          AS row FROM usage_events e WHERE e.tenant_id = ?1 AND e.user_id = ?2 AND (e.product, e.seq) > (?3, ?4) ORDER BY \
          e.product, e.seq LIMIT ?5",
};
const MARKS: Statement = Statement {
    name: "personal.quota_marks",
    sql: "SELECT m.owner AS key, m.seq AS number, json_object('tenant_id', m.tenant_id, 'seq', m.seq, 'at', m.at, \
          'product', m.product, 'meter', m.meter, 'percent', m.percent, 'used', m.used, 'quota', m.quota) AS row FROM \
          quota_marks m WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND (m.owner, m.seq) > (?3, ?4) ORDER BY m.owner, m.seq \
          LIMIT ?5",
};
// Of what others did to a user, an export tells what, and not from where: that is theirs.
const AUDIT: Statement = Statement {
    name: "personal.audit",
    sql: "SELECT '' AS key, a.seq AS number, json_object('tenant_id', a.tenant_id, 'seq', a.seq, 'at', a.at, 'action', \
          a.action, 'outcome', a.outcome, 'body', json(CASE WHEN NOT json_valid(a.body) THEN 'null' WHEN a.actor IS NULL \
          OR a.body ->> '$.actor.id' = ?2 OR a.body ->> '$.actor.user' = ?2 THEN a.body ELSE json_remove(a.body, \
          '$.source') END)) AS row FROM audit a WHERE a.tenant_id = ?1 AND (a.actor = ?2 OR CASE WHEN json_valid(a.body) \
          THEN a.body ->> '$.actor.user' = ?2 OR a.body ->> '$.target.id' = ?2 END) AND ?3 IS NOT NULL AND a.seq > ?4 \
          ORDER BY a.seq LIMIT ?5",
};
const M_USERS: Statement =
    Statement { name: "personal.member_users", sql: "DELETE FROM users WHERE tenant_id = ?1 AND user_id = ?2" };
const M_SESSIONS: Statement =
    Statement { name: "personal.member_sessions", sql: "DELETE FROM sessions WHERE tenant_id = ?1 AND user_id = ?2" };
const M_KEYS: Statement =
    Statement { name: "personal.member_keys", sql: "DELETE FROM api_keys WHERE tenant_id = ?1 AND user_id = ?2" };
const M_TOKENS: Statement =
    Statement { name: "personal.member_tokens", sql: "DELETE FROM mail_tokens WHERE tenant_id = ?1 AND user_id = ?2" };
const M_CONFIG: Statement =
    Statement { name: "personal.member_config", sql: "DELETE FROM user_configs WHERE tenant_id = ?1 AND user_id = ?2" };
// The team's plan is the team's: it goes on in another owner's name.
const M_PLAN: Statement = Statement {
    name: "personal.member_plan",
    sql: "UPDATE OR REPLACE subscriptions SET user_id = coalesce((SELECT min(u.user_id) FROM users u WHERE u.tenant_id = \
          ?1 AND u.role = 'owner' AND u.user_id <> ?2), ?3) WHERE tenant_id = ?1 AND user_id = ?2 AND plan = 'teams'",
};
const M_SUBSCRIPTIONS: Statement = Statement {
    name: "personal.member_subscriptions",
    sql: "DELETE FROM subscriptions WHERE tenant_id = ?1 AND user_id = ?2",
};
// The team pays for what was used, and need not know by whom.
const M_EVENTS: Statement = Statement {
    name: "personal.member_events",
    sql: "UPDATE usage_events SET user_id = ?3, api_key_id = NULL WHERE tenant_id = ?1 AND user_id = ?2",
};
const M_HOURS: Statement = Statement {
    name: "personal.member_hours",
    sql: "UPDATE usage_hourly SET user_id = ?3 WHERE tenant_id = ?1 AND user_id = ?2",
};
const M_MARKS: Statement = Statement {
    name: "personal.member_marks",
    sql: "UPDATE quota_marks SET user_id = ?3, owner = replace(owner, ?2, ?3) WHERE tenant_id = ?1 AND user_id = ?2",
};
const M_INVITED: Statement = Statement {
    name: "personal.member_invited",
    sql: "UPDATE invitations SET invited_by = ?3 WHERE tenant_id = ?1 AND invited_by = ?2",
};
const M_ARRIVALS: Statement =
    Statement { name: "personal.member_arrivals", sql: "DELETE FROM arrivals WHERE tenant_id = ?1 AND user_id = ?2" };
const M_ACCEPTED: Statement = Statement {
    name: "personal.member_accepted",
    sql: "UPDATE invitations SET accepted_by = ?3 WHERE tenant_id = ?1 AND accepted_by = ?2",
};
const T_TENANTS: Statement =
    Statement { name: "personal.tenant_tenants", sql: "DELETE FROM tenants WHERE tenant_id = ?1" };
const T_USERS: Statement = Statement { name: "personal.tenant_users", sql: "DELETE FROM users WHERE tenant_id = ?1" };
const T_SESSIONS: Statement =
    Statement { name: "personal.tenant_sessions", sql: "DELETE FROM sessions WHERE tenant_id = ?1" };
const T_API_KEYS: Statement =
    Statement { name: "personal.tenant_api_keys", sql: "DELETE FROM api_keys WHERE tenant_id = ?1" };
const T_MAIL_TOKENS: Statement =
    Statement { name: "personal.tenant_mail_tokens", sql: "DELETE FROM mail_tokens WHERE tenant_id = ?1" };
const T_USER_CONFIGS: Statement =
    Statement { name: "personal.tenant_user_configs", sql: "DELETE FROM user_configs WHERE tenant_id = ?1" };
const T_SUBSCRIPTIONS: Statement =
    Statement { name: "personal.tenant_subscriptions", sql: "DELETE FROM subscriptions WHERE tenant_id = ?1" };
const T_USAGE_EVENTS: Statement =
    Statement { name: "personal.tenant_usage_events", sql: "DELETE FROM usage_events WHERE tenant_id = ?1" };
const T_USAGE_HOURLY: Statement =
    Statement { name: "personal.tenant_usage_hourly", sql: "DELETE FROM usage_hourly WHERE tenant_id = ?1" };
const T_USAGE_DIRTY_HOURS: Statement =
    Statement { name: "personal.tenant_usage_dirty_hours", sql: "DELETE FROM usage_dirty_hours WHERE tenant_id = ?1" };
const T_QUOTA_MARKS: Statement =
    Statement { name: "personal.tenant_quota_marks", sql: "DELETE FROM quota_marks WHERE tenant_id = ?1" };
const T_MAILS: Statement = Statement { name: "personal.tenant_mails", sql: "DELETE FROM mails WHERE tenant_id = ?1" };
const T_INVITATIONS: Statement =
    Statement { name: "personal.tenant_invitations", sql: "DELETE FROM invitations WHERE tenant_id = ?1" };
const T_TEAM_CHANGES: Statement =
    Statement { name: "personal.tenant_team_changes", sql: "DELETE FROM team_changes WHERE tenant_id = ?1" };
const T_AUDIT: Statement = Statement { name: "personal.tenant_audit", sql: "DELETE FROM audit WHERE tenant_id = ?1" };
const T_ARRIVALS: Statement =
    Statement { name: "personal.tenant_arrivals", sql: "DELETE FROM arrivals WHERE tenant_id = ?1" };
const LINKS: Statement = Statement {
    name: "personal.provider_identities",
    sql: "SELECT p.identity_id AS key, 0 AS number, json_object('identity_id', p.identity_id, 'realm', p.realm, 'issuer', p.issuer, 'subject', p.subject, 'email', p.email, 'linked_at', p.linked_at) AS row FROM provider_identities p WHERE p.tenant_id = ?1 AND p.user_id = ?2 AND (p.identity_id, 0) > (?3, ?4) ORDER BY p.identity_id LIMIT ?5",
};
const M_PROVIDER_IDENTITIES: Statement = Statement {
    name: "personal.member_provider_identities",
    sql: "DELETE FROM provider_identities WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_PROVIDER_IDENTITIES: Statement = Statement {
    name: "personal.tenant_provider_identities",
    sql: "DELETE FROM provider_identities WHERE tenant_id = ?1",
};
const SECOND_FACTOR: Statement = Statement {
    name: "personal.second_factors",
    sql: "SELECT f.user_id AS key, 0 AS number, json_object('enrolled_at', f.enrolled_at, 'confirmed_at', f.confirmed_at) AS row FROM second_factors f WHERE f.tenant_id = ?1 AND f.user_id = ?2 AND (f.user_id, 0) > (?3, ?4) ORDER BY f.user_id LIMIT ?5",
};
const M_SECOND_FACTORS: Statement = Statement {
    name: "personal.member_second_factors",
    sql: "DELETE FROM second_factors WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_SECOND_FACTORS: Statement =
    Statement { name: "personal.tenant_second_factors", sql: "DELETE FROM second_factors WHERE tenant_id = ?1" };
const T_DATA_KEYS: Statement =
    Statement { name: "personal.tenant_data_keys", sql: "DELETE FROM data_keys WHERE tenant_id = ?1" };
const M_SIGN_IN_CODES: Statement = Statement {
    name: "personal.member_sign_in_codes",
    sql: "DELETE FROM sign_in_codes WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_SIGN_IN_CODES: Statement =
    Statement { name: "personal.tenant_sign_in_codes", sql: "DELETE FROM sign_in_codes WHERE tenant_id = ?1" };
const T_SINGLE_SIGN_ON: Statement =
    Statement { name: "personal.tenant_single_sign_on", sql: "DELETE FROM single_sign_on WHERE tenant_id = ?1" };
const T_SIGN_ON_DOMAINS: Statement =
    Statement { name: "personal.tenant_sign_on_domains", sql: "DELETE FROM sign_on_domains WHERE tenant_id = ?1" };
const PREFERENCES: Statement = Statement {
    name: "personal.notification_preferences",
    sql: "SELECT p.user_id AS key, 0 AS number, json_object('reminders', p.reminders, 'quota_warnings', p.quota_warnings, \
          'summary', p.summary) AS row FROM notification_preferences p WHERE p.tenant_id = ?1 AND p.user_id = ?2 \
          AND (p.user_id, 0) > (?3, ?4) ORDER BY p.user_id LIMIT ?5",
};
const M_PREFERENCES: Statement = Statement {
    name: "personal.member_preferences",
    sql: "DELETE FROM notification_preferences WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_PREFERENCES: Statement =
    Statement { name: "personal.tenant_preferences", sql: "DELETE FROM notification_preferences WHERE tenant_id = ?1" };
const T_USAGE_STATEMENTS: Statement =
    Statement { name: "personal.tenant_usage_statements", sql: "DELETE FROM usage_statements WHERE tenant_id = ?1" };
// Of old mails only the event is left: it may have the user's id in it.
const M_MAILS: Statement =
    Statement { name: "personal.member_mails", sql: "DELETE FROM mails WHERE tenant_id = ?1 AND instr(event, ?2) > 0" };
const M_IDEMPOTENT_ANSWERS: Statement = Statement {
    name: "personal.member_idempotent_answers",
    sql: "DELETE FROM idempotent_answers WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_IDEMPOTENT_ANSWERS: Statement = Statement {
    name: "personal.tenant_idempotent_answers",
    sql: "DELETE FROM idempotent_answers WHERE tenant_id = ?1",
};
const T_BILLING_CUSTOMERS: Statement =
    Statement { name: "personal.tenant_billing_customers", sql: "DELETE FROM billing_customers WHERE tenant_id = ?1" };
const T_BILLING_FORMER_CUSTOMERS: Statement = Statement {
    name: "personal.tenant_billing_former_customers",
    sql: "DELETE FROM billing_former_customers WHERE tenant_id = ?1",
};
// What is bought goes on in another owner's name.
const M_BILLING: Statement = Statement {
    name: "personal.member_billing",
    sql: "UPDATE billing_states SET user_id = coalesce((SELECT min(u.user_id) FROM users u WHERE u.tenant_id = ?1 AND u.role = 'owner' AND u.user_id <> ?2), ?3) WHERE tenant_id = ?1 AND user_id = ?2",
};
const T_BILLING_STATES: Statement =
    Statement { name: "personal.tenant_billing_states", sql: "DELETE FROM billing_states WHERE tenant_id = ?1" };
const T_BILLING_CHANGES: Statement =
    Statement { name: "personal.tenant_billing_changes", sql: "DELETE FROM billing_changes WHERE tenant_id = ?1" };
const T_BILLING_CHECKOUTS: Statement =
    Statement { name: "personal.tenant_billing_checkouts", sql: "DELETE FROM billing_checkouts WHERE tenant_id = ?1" };
const T_OVERAGE_PERIODS: Statement =
    Statement { name: "personal.tenant_overage_periods", sql: "DELETE FROM overage_periods WHERE tenant_id = ?1" };
const COUNT_MEMBER: Statement = Statement {
    name: "personal.count_member",
    sql: "SELECT json_object('sessions', (SELECT count(*) FROM sessions c WHERE c.tenant_id = ?1 AND c.user_id = ?2), \
          'api_keys', (SELECT count(*) FROM api_keys c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'mail_tokens', (SELECT \
          count(*) FROM mail_tokens c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'user_configs', (SELECT count(*) FROM \
          user_configs c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'subscriptions', (SELECT count(*) FROM subscriptions \
          c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'second_factors', (SELECT count(*) FROM second_factors c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'provider_identities', (SELECT count(*) FROM provider_identities c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 'usage_events', (SELECT count(*) FROM usage_events c WHERE \
          c.tenant_id = ?1 AND c.user_id = ?2), 'usage_hourly', (SELECT count(*) FROM usage_hourly c WHERE c.tenant_id = \
          ?1 AND c.user_id = ?2), 'quota_marks', (SELECT count(*) FROM quota_marks c WHERE c.tenant_id = ?1 AND c.user_id \
          = ?2), 'invitations', (SELECT count(*) FROM invitations c WHERE c.tenant_id = ?1 AND (c.invited_by = ?2 OR \
          c.accepted_by = ?2))) AS counts",
};
const COUNT_TENANT: Statement = Statement {
    name: "personal.count_tenant",
    sql: "SELECT json_object('tenants', (SELECT count(*) FROM tenants c WHERE c.tenant_id = ?1), 'sessions', (SELECT \
          count(*) FROM sessions c WHERE c.tenant_id = ?1), 'api_keys', (SELECT count(*) FROM api_keys c WHERE c.tenant_id \
          = ?1), 'mail_tokens', (SELECT count(*) FROM mail_tokens c WHERE c.tenant_id = ?1), 'user_configs', (SELECT \
          count(*) FROM user_configs c WHERE c.tenant_id = ?1), 'subscriptions', (SELECT count(*) FROM subscriptions c \
          WHERE c.tenant_id = ?1), 'second_factors', (SELECT count(*) FROM second_factors c WHERE c.tenant_id = ?1), 'provider_identities', (SELECT count(*) FROM provider_identities c WHERE c.tenant_id = ?1), 'usage_events', (SELECT count(*) FROM usage_events c WHERE c.tenant_id = ?1), \
          'usage_hourly', (SELECT count(*) FROM usage_hourly c WHERE c.tenant_id = ?1), 'usage_dirty_hours', (SELECT \
          count(*) FROM usage_dirty_hours c WHERE c.tenant_id = ?1), 'quota_marks', (SELECT count(*) FROM quota_marks c \
          WHERE c.tenant_id = ?1), 'mails', (SELECT count(*) FROM mails c WHERE c.tenant_id = ?1), 'invitations', (SELECT \
          count(*) FROM invitations c WHERE c.tenant_id = ?1), 'team_changes', (SELECT count(*) FROM team_changes c WHERE \
          c.tenant_id = ?1), 'audit', (SELECT count(*) FROM audit c WHERE c.tenant_id = ?1)) AS counts",
};
// What names the address, while it is still somebody's: whoever registers it later finds nothing, and loses nothing.
const FORGET_MAILS: Statement = Statement {
    name: "personal.forget_mails",
    sql: "DELETE FROM mails WHERE tenant_id = ?1 AND (recipient = ?2 OR instr(coalesce(body, ''), ?2) > 0)",
};
const FORGET_INVITATIONS: Statement = Statement {
    name: "personal.forget_invitations",
    sql: "DELETE FROM invitations WHERE tenant_id = ?1 AND email = ?2",
};
// A tenant is named after who made it, until somebody gives it another name.
const FORGET_NAME: Statement = Statement {
    name: "personal.forget_name",
    sql: "UPDATE tenants SET name = 'Team' WHERE tenant_id = ?1 AND (name = ?2 OR name = ?3)",
};
// Whoever has used something in the tenant has objects there.
const OWNERS: Statement = Statement {
    name: "personal.owners",
    sql: "SELECT user_id FROM usage_events WHERE tenant_id = ?1 UNION SELECT user_id FROM subscriptions WHERE tenant_id = \
          ?1 UNION SELECT user_id FROM sessions WHERE tenant_id = ?1 UNION SELECT user_id FROM api_keys WHERE tenant_id = \
          ?1",
};
const ALONE: Statement = Statement {
    name: "personal.alone",
    sql: "SELECT count(*) AS others FROM users WHERE tenant_id = ?1 AND user_id <> ?2",
};

/// Every table of the databases.
pub const TABLES: &[Personal] = &[
    Personal {
        table: "tenants",
        shown: Shown::Rows {
            statement: TENANT,
            of: Of::User,
            columns: &["tenant_id", "name", "created_at"],
            withheld: &[],
        },
        member: &[],
        note: "The tenant is the others'; a name that is the user's goes with the address.",
        tenant: Some(T_TENANTS),
    },
    Personal {
        table: "users",
        shown: Shown::Rows {
            statement: USER,
            of: Of::User,
            columns: &[
                "tenant_id",
                "user_id",
                "email",
                "email_verified",
                "name",
                "role",
                "product",
                "created_at",
                "home_tenant_id",
                "joined_at",
            ],
            withheld: &[("password_hash", "a secret")],
        },
        member: &[M_USERS],
        note: "",
        tenant: Some(T_USERS),
    },
    Personal {
        table: "identities",
        shown: Shown::Nothing("the same address stands in users; former tenants are exported one by one"),
        member: &[],
        note: "Goes first, with the address.",
        tenant: None,
    },
    Personal {
        table: "user_configs",
        shown: Shown::Rows {
            statement: CONFIG,
            of: Of::User,
            columns: &["version", "settings", "updated_at"],
            withheld: &[("tenant_id", "the tenant's id, which stands elsewhere"), ("user_id", "the user's own id")],
        },
        member: &[M_CONFIG],
        note: "",
        tenant: Some(T_USER_CONFIGS),
    },
    Personal {
        table: "sessions",
        shown: Shown::Rows {
            statement: SESSIONS,
            of: Of::User,
            columns: &[
                "session_id",
                "user_agent",
                "address",
                "country",
                "city",
                "created_at",
                "refreshed_at",
                "expires_at",
                "revoked_at",
            ],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("user_id", "the user's own id"),
                ("refresh_hash", "a secret"),
                ("tag_key", "a secret"),
                ("previous_hash", "a secret"),
                ("successor", "a secret"),
            ],
        },
        member: &[M_SESSIONS],
        note: "",
        tenant: Some(T_SESSIONS),
    },
    Personal {
        table: "api_keys",
        shown: Shown::Rows {
            statement: KEYS,
            of: Of::User,
            columns: &[
                "key_id",
                "product",
                "name",
                "last_four",
                "scopes",
                "per_minute",
                "created_at",
                "expires_at",
                "revoked_at",
                "replaced_by",
                "last_used_at",
            ],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("user_id", "the user's own id"),
                ("hash", "a secret"),
            ],
        },
        member: &[M_KEYS],
        note: "",
        tenant: Some(T_API_KEYS),
    },
    Personal {
        table: "mail_tokens",
        shown: Shown::Rows {
            statement: TOKENS,
            of: Of::User,
            columns: &["kind", "created_at", "expires_at"],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("user_id", "the user's own id"),
                ("hash", "a secret"),
            ],
        },
        member: &[M_TOKENS],
        note: "",
        tenant: Some(T_MAIL_TOKENS),
    },
    Personal {
        table: "mails",
        shown: Shown::Rows {
            statement: MAILS,
            of: Of::Address,
            columns: &["event", "kind", "recipient", "created_at", "sent_at"],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("body", "kept on a developer's machine, or after the mail failed; may carry secrets"),
                ("attempts", "how often the mail was carried"),
                ("failed_at", "how the mail was carried"),
                ("error", "how the mail was carried"),
            ],
        },
        member: &[M_MAILS],
        note: "Go with the address.",
        tenant: Some(T_MAILS),
    },
    Personal {
        table: "invitations",
        shown: Shown::Rows {
            statement: INVITATIONS,
            of: Of::User,
            columns: &["tenant_id", "invitation_id", "role", "expires_at", "accepted_by", "revoked_at"],
            withheld: &[
                ("email", "somebody else's; those to the user's own address are listed apart"),
                ("invited_by", "the user's own id"),
                ("token_hash", "a secret"),
            ],
        },
        member: &[M_INVITED, M_ACCEPTED],
        note: "",
        tenant: Some(T_INVITATIONS),
    },
    Personal {
        table: "subscriptions",
        shown: Shown::Rows {
            statement: SUBSCRIPTIONS,
            of: Of::User,
            columns: &[
                "tenant_id",
                "product",
                "plan",
                "version",
                "anchor_at",
                "trial_started_at",
                "trial_ends_at",
                "limits",
                "seats",
                "plan_version",
                "ended_at",
                "billing_status",
                "card_trial_ends_at",
                "trial_denied_by",
            ],
            withheld: &[("user_id", "the user's own id")],
        },
        member: &[M_PLAN, M_SUBSCRIPTIONS],
        note: "",
        tenant: Some(T_SUBSCRIPTIONS),
    },
    Personal {
        table: "usage_events",
        shown: Shown::Rows {
            statement: EVENTS,
            of: Of::User,
            columns: &[
                "tenant_id",
                "product",
                "seq",
                "at",
                "reservation_id",
                "superseded",
                "requests",
                "tokens",
                "emails",
                "function",
                "provider",
                "model",
                "prompt_tokens",
                "completion_tokens",
                "estimated",
                "cost_microusd",
                "request_id",
                "outcome",
                "api_key_id",
            ],
            withheld: &[("user_id", "the user's own id")],
        },
        member: &[M_EVENTS],
        note: "",
        tenant: Some(T_USAGE_EVENTS),
    },
    Personal {
        table: "usage_hourly",
        shown: Shown::Nothing("sums of usage_events"),
        member: &[M_HOURS],
        note: "",
        tenant: Some(T_USAGE_HOURLY),
    },
    Personal {
        table: "usage_dirty_hours",
        shown: Shown::Nothing("hours of the tenant, about nobody"),
        member: &[],
        note: "About nobody.",
        tenant: Some(T_USAGE_DIRTY_HOURS),
    },
    Personal {
        table: "quota_marks",
        shown: Shown::Rows {
            statement: MARKS,
            of: Of::User,
            columns: &["tenant_id", "seq", "at", "product", "meter", "percent", "used", "quota"],
            withheld: &[
                ("user_id", "the user's own id"),
                ("owner", "names tenant, user and product, which stand elsewhere"),
            ],
        },
        member: &[M_MARKS],
        note: "",
        tenant: Some(T_QUOTA_MARKS),
    },
    Personal {
        table: "team_changes",
        shown: Shown::Nothing("numbers and instants, about nobody"),
        member: &[],
        note: "About nobody.",
        tenant: Some(T_TEAM_CHANGES),
    },
    Personal {
        table: "arrivals",
        shown: Shown::Nothing("a note while an account is being made; the address stands in users"),
        member: &[M_ARRIVALS],
        note: "",
        tenant: Some(T_ARRIVALS),
    },
    Personal {
        table: "audit",
        shown: Shown::Rows {
            statement: AUDIT,
            of: Of::User,
            columns: &["tenant_id", "seq", "at", "action", "outcome", "body"],
            withheld: &[
                ("actor", "stands in the body"),
                ("hash", "over the whole entry, parts of which may be somebody else's"),
            ],
        },
        member: &[],
        note: "The team's log is append-only and stays: ids in it lead to nobody.",
        tenant: Some(T_AUDIT),
    },
    Personal {
        table: "provider_identities",
        shown: Shown::Rows {
            statement: LINKS,
            of: Of::User,
            columns: &["identity_id", "realm", "issuer", "subject", "email", "linked_at"],
            withheld: &[("tenant_id", "the tenant's id, which stands elsewhere"), ("user_id", "the user's own id")],
        },
        member: &[M_PROVIDER_IDENTITIES],
        note: "",
        tenant: Some(T_PROVIDER_IDENTITIES),
    },
    Personal {
        table: "second_factors",
        shown: Shown::Rows {
            statement: SECOND_FACTOR,
            of: Of::User,
            columns: &["enrolled_at", "confirmed_at"],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("user_id", "the user's own id"),
                ("secret", "a secret"),
                ("sealed_for", "names the key of the secret"),
                ("last_step", "when a code was used last, for the check alone"),
                ("recovery_codes", "secrets, hashed"),
            ],
        },
        member: &[M_SECOND_FACTORS],
        note: "",
        tenant: Some(T_SECOND_FACTORS),
    },
    Personal {
        table: "data_keys",
        shown: Shown::Nothing("keys that seal the tenant's secrets, about nobody"),
        member: &[],
        note: "About nobody.",
        tenant: Some(T_DATA_KEYS),
    },
    Personal {
        table: "sign_in_flows",
        shown: Shown::Nothing("whoever begins a sign-in is nobody yet"),
        member: &[],
        note: "Nobody's, and gone within minutes.",
        tenant: None,
    },
    Personal {
        table: "sign_in_codes",
        shown: Shown::Nothing("a secret, good for a minute"),
        member: &[M_SIGN_IN_CODES],
        note: "",
        tenant: Some(T_SIGN_IN_CODES),
    },
    Personal {
        table: "single_sign_on",
        shown: Shown::Nothing("the team's settings, about nobody"),
        member: &[],
        note: "The team's.",
        tenant: Some(T_SINGLE_SIGN_ON),
    },
    Personal {
        table: "sign_on_domains",
        shown: Shown::Nothing("the team's settings, about nobody"),
        member: &[],
        note: "The team's.",
        tenant: Some(T_SIGN_ON_DOMAINS),
    },
    Personal {
        table: "idempotent_answers",
        shown: Shown::Nothing("copies of answers, sealed, for a day"),
        member: &[M_IDEMPOTENT_ANSWERS],
        note: "",
        tenant: Some(T_IDEMPOTENT_ANSWERS),
    },
    Personal {
        table: "billing_customers",
        shown: Shown::Nothing("the tenant's number at Stripe, about nobody"),
        member: &[],
        note: "The tenant's.",
        tenant: Some(T_BILLING_CUSTOMERS),
    },
    Personal {
        table: "billing_former_customers",
        shown: Shown::Nothing("the tenant's numbers at Stripe of before, about nobody"),
        member: &[],
        note: "The tenant's.",
        tenant: Some(T_BILLING_FORMER_CUSTOMERS),
    },
    Personal {
        table: "billing_states",
        shown: Shown::Nothing("what stands in subscriptions, as it is worked with"),
        member: &[M_BILLING],
        note: "",
        tenant: Some(T_BILLING_STATES),
    },
    Personal {
        table: "billing_changes",
        shown: Shown::Nothing("numbers and instants, about nobody"),
        member: &[],
        note: "About nobody.",
        tenant: Some(T_BILLING_CHANGES),
    },
    Personal {
        table: "billing_checkouts",
        shown: Shown::Nothing("a checkout that is open, about nobody"),
        member: &[],
        note: "The tenant's.",
        tenant: Some(T_BILLING_CHECKOUTS),
    },
    Personal {
        table: "overage_periods",
        shown: Shown::Nothing("what the tenant is billed for beyond its plan; the invoices at Stripe show it"),
        member: &[],
        note: "About the tenant: amounts and instants.",
        tenant: Some(T_OVERAGE_PERIODS),
    },
    Personal {
        table: "notification_preferences",
        shown: Shown::Rows {
            statement: PREFERENCES,
            of: Of::User,
            columns: &["reminders", "quota_warnings", "summary"],
            withheld: &[
                ("tenant_id", "the tenant's id, which stands elsewhere"),
                ("user_id", "the user's own id"),
                ("unsubscribe_key", "a secret"),
            ],
        },
        member: &[M_PREFERENCES],
        note: "",
        tenant: Some(T_PREFERENCES),
    },
    Personal {
        table: "usage_statements",
        shown: Shown::Nothing("the tenant's sums: what the user used stands in usage_events"),
        member: &[],
        note: "The tenant's; sums that name nobody.",
        tenant: Some(T_USAGE_STATEMENTS),
    },
    Personal {
        table: "trial_claims",
        shown: Shown::Nothing("a digest that names nobody"),
        member: &[],
        note: "Stays, so that a person, a card and a company have one trial; it leads to nobody.",
        tenant: None,
    },
    Personal {
        table: "job_states",
        shown: Shown::Nothing("where the platform's own jobs stand"),
        member: &[],
        note: "About nobody.",
        tenant: None,
    },
    Personal {
        table: "job_runs",
        shown: Shown::Nothing("what the platform's own jobs did"),
        member: &[],
        note: "About nobody.",
        tenant: None,
    },
    Personal {
        table: "stripe_events",
        shown: Shown::Nothing("numbers of Stripe's, about nobody here"),
        member: &[],
        note: "About nobody.",
        tenant: None,
    },
    Personal {
        table: "deletions",
        shown: Shown::Nothing("the proof of a deletion: of whom only a hash"),
        member: &[],
        note: "The proof.",
        tenant: None,
    },
];

/// A row of an export.
#[derive(Debug, Clone, Deserialize)]
pub struct ExportedRow {
    /// Where it stands in the order: after it, the next page begins.
    pub key: String,
    /// The same.
    pub number: i64,
    /// A JSON object.
    pub row: String,
}

/// A page of a table's rows about somebody, after a row.
///
/// # Errors
/// When the database cannot be read.
pub async fn exported(
    scope: &Scope,
    tenant: TenantId,
    statement: Statement,
    who: &str,
    (key, number): (&str, i64),
    limit: u32,
) -> Result<Vec<ExportedRow>, StoreError> {
    let params = [Param::Text(who), Param::Text(key), Param::Int(number), Param::Int(i64::from(limit))];
    TenantDb::of(scope, tenant)?.all(statement, &params).await
}

#[derive(Deserialize)]
struct Counts {
    counts: String,
}

/// What a deletion will remove from the databases.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn count(
    db: &TenantDb<'_>,
    user: UserId,
    extent: Extent,
    removed: &mut Removed,
) -> Result<(), StoreError> {
    let user = user.to_string();
    let row: Option<Counts> = match extent {
        Extent::Member => db.first(COUNT_MEMBER, &[Param::Text(&user)]).await?,
        Extent::Tenant => db.first(COUNT_TENANT, &[]).await?,
    };
    let counts: std::collections::BTreeMap<String, u64> =
        row.and_then(|row| serde_json::from_str(&row.counts).ok()).ok_or(StoreError::Failed)?;
    for (table, count) in counts {
        removed.note(Store::D1, &table, count);
    }
    // Its row went when the deletion was asked for.
    removed.note(Store::D1, "users", 1.max(removed.count(Store::D1, "users")));
    Ok(())
}

/// The statements that remove a user from a tenant's database, with how many parameters of `?2` and `?3` each takes.
pub fn erasing(extent: Extent) -> impl Iterator<Item = (Statement, usize)> {
    let takes = |statement: Statement| match (statement.sql.contains("?3"), statement.sql.contains("?2")) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    TABLES
        .iter()
        .flat_map(move |table| {
            let (member, tenant) = match extent {
                Extent::Member => (table.member, None),
                Extent::Tenant => (&[][..], table.tenant),
            };
            member.iter().copied().chain(tenant)
        })
        .map(move |statement| (statement, takes(statement)))
}

/// Removes a tenant that nobody can ever sign in to.
pub(super) async fn remove_tenant(db: &TenantDb<'_>) -> Result<(), StoreError> {
    let writes: Vec<_> =
        TABLES.iter().filter_map(|table| table.tenant).map(|statement| (statement, Vec::new())).collect();
    db.batch(&writes).await.map(drop)
}

/// Removes what names an address from a tenant.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_address(
    scope: &Scope,
    tenant: TenantId,
    email: &str,
    name: Option<&str>,
) -> Result<u64, StoreError> {
    let email = Param::Text(email);
    let writes =
        [(FORGET_MAILS, vec![email]), (FORGET_INVITATIONS, vec![email]), (FORGET_NAME, vec![email, name.into()])];
    Ok(TenantDb::of(scope, tenant)?.batch(&writes).await?.into_iter().take(2).sum())
}

#[derive(Deserialize)]
struct Owner {
    user_id: String,
}

/// Whoever has used something in a tenant.
///
/// # Errors
/// When the database cannot be read.
pub async fn owners(scope: &Scope, tenant: TenantId) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<Owner> = TenantDb::of(scope, tenant)?.all(OWNERS, &[]).await?;
    Ok(rows.iter().filter_map(|row| row.user_id.parse().ok()).collect())
}

#[derive(Deserialize)]
struct Others {
    others: i64,
}

/// Whether nobody but a user is in a tenant.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_alone(scope: &Scope, tenant: TenantId, user: UserId) -> Result<bool, StoreError> {
    let row: Option<Others> = TenantDb::of(scope, tenant)?.first(ALONE, &[Param::Text(&user.to_string())]).await?;
    Ok(row.is_some_and(|row| row.others == 0))
}
