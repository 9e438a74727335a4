-- Accounts: tenants, users, sign-in names, sessions, subscriptions.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE tenants (
  tenant_id  TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  tenant_id      TEXT NOT NULL,
  user_id        TEXT NOT NULL,
  email          TEXT NOT NULL,
  email_verified INTEGER NOT NULL DEFAULT 0,
  name           TEXT,
  password_hash  TEXT NOT NULL,
  role           TEXT NOT NULL,
  product        TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

-- Whose address is whose: the one table that a sign-in reads without a tenant. Lives on the first shard.
CREATE TABLE identities (
  email     TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  user_id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  tenant_id    TEXT NOT NULL,
  session_id   TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  refresh_hash TEXT NOT NULL,
  user_agent   TEXT,
  created_at   INTEGER NOT NULL,
  refreshed_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  revoked_at   INTEGER,
  PRIMARY KEY (tenant_id, session_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id);

CREATE TABLE subscriptions (
  tenant_id        TEXT NOT NULL,
  user_id          TEXT NOT NULL,
  product          TEXT NOT NULL,
  plan             TEXT NOT NULL,
  version          INTEGER NOT NULL,
  anchor_at        INTEGER NOT NULL,
  trial_started_at INTEGER,
  trial_ends_at    INTEGER,
  PRIMARY KEY (tenant_id, user_id, product)
) STRICT, WITHOUT ROWID;
