-- API keys: one row each, without the secret. See shared/domain/src/api_key.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE api_keys (
  tenant_id    TEXT NOT NULL,
  key_id       TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  -- The product whose plan pays.
  product      TEXT NOT NULL,
  name         TEXT NOT NULL,
  -- SHA-256 of the key's text.
  hash         TEXT NOT NULL,
  last_four    TEXT NOT NULL,
  -- Names with a blank between them.
  scopes       TEXT NOT NULL,
  per_minute   INTEGER,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  -- The key that took its place.
  replaced_by  TEXT,
  -- Within an hour.
  last_used_at INTEGER,
  PRIMARY KEY (tenant_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_user ON api_keys (tenant_id, user_id, key_id);

-- The key that a request was sent with; NULL: somebody signed in.
ALTER TABLE usage_events ADD COLUMN api_key_id TEXT;
