-- Answers under an Idempotency-Key, for a day: who asks again gets the same answer, and nothing is done twice.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE idempotent_answers (
  tenant_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  -- SHA-256 of the key.
  key_hash    TEXT NOT NULL,
  -- SHA-256 of what was asked: another request under the same key is a mistake.
  fingerprint TEXT NOT NULL,
  -- The request that does the work.
  request_id  TEXT NOT NULL,
  started_at  INTEGER NOT NULL,
  -- NULL while the work goes on.
  status      INTEGER,
  -- Sealed with the tenant's data key: answers carry secrets.
  answer      TEXT,
  PRIMARY KEY (tenant_id, user_id, key_hash)
) STRICT, WITHOUT ROWID;
