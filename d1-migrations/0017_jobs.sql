-- What runs by the clock: who runs it now, from where it goes on, and what it did. Lives on the first shard.
-- Instants are milliseconds since 1970 in UTC.

CREATE TABLE job_states (
  name     TEXT PRIMARY KEY,
  -- The run that has it, until it lets go or its time is up.
  run_id   TEXT,
  until_at INTEGER NOT NULL,
  -- Where the next step begins; NULL: at the beginning.
  cursor   TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE job_runs (
  -- Ordered by time.
  run_id      TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  -- clock, operator, local
  started_by  TEXT NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  -- running, done, more, failed, lost (it was never heard of again)
  outcome     TEXT NOT NULL,
  done        INTEGER NOT NULL,
  error       TEXT,
  cursor      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX job_runs_by_name ON job_runs (name, run_id);

-- What a month was used for, once it is over. Every table with a tenant_id belongs to that tenant.
CREATE TABLE usage_statements (
  tenant_id TEXT NOT NULL,
  -- 2026-01, a month in UTC
  month     TEXT NOT NULL,
  made_at   INTEGER NOT NULL,
  -- JSON, see shared/api/src/statements.rs
  body      TEXT NOT NULL,
  PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;

-- What the clean-up looks for.
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX mail_tokens_by_expiry ON mail_tokens (expires_at);
-- Without an address: what is left when a mail is old, so that it is never sent again.
CREATE INDEX mails_by_age ON mails (created_at) WHERE recipient <> '';
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (started_at);
