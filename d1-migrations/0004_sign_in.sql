-- Sign-in: tokens sent by mail, where a session came from, and what a refresh needs to be done right.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- Tokens in mails: one open of each kind for a user, gone when it is used.
CREATE TABLE mail_tokens (
  tenant_id  TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  -- verify_email, reset_password
  kind       TEXT NOT NULL,
  hash       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id, kind)
) STRICT, WITHOUT ROWID;

-- Where a session was opened from, as far as the edge knows.
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN country TEXT;
ALTER TABLE sessions ADD COLUMN city TEXT;

-- What every refresh token of the session is tagged with: a token of ours that is not the latest is told from an invented one.
-- Whoever reads it can end the session, and nothing else.
ALTER TABLE sessions ADD COLUMN tag_key TEXT;
-- The hash of the token that the latest one replaced, and the latest one sealed under it: two refreshes at once get the same
-- answer. See shared/platform/src/identity/refresh.rs.
ALTER TABLE sessions ADD COLUMN previous_hash TEXT;
ALTER TABLE sessions ADD COLUMN successor TEXT;
