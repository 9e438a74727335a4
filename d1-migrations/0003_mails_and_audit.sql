-- Mails that were asked for, one for each event: what was sent is not sent again.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE mails (
  tenant_id  TEXT NOT NULL,
  -- What the mail is about, e.g. "invitation inv_…": the same event is written about once.
  event      TEXT NOT NULL,
  kind       TEXT NOT NULL,
  recipient  TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  sent_at    INTEGER,
  -- The mail as JSON, in the local environment only: there it is the outbox. Mails carry secrets.
  body       TEXT,
  PRIMARY KEY (tenant_id, event)
) STRICT, WITHOUT ROWID;

-- The audit log: a chain for each tenant, never changed. See shared/domain/src/audit.
CREATE TABLE audit (
  tenant_id TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  -- Copies of what the body says, to filter by.
  action    TEXT NOT NULL,
  actor     TEXT,
  outcome   TEXT NOT NULL,
  body      TEXT NOT NULL,
  hash      TEXT NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_by_action ON audit (tenant_id, action, seq);
CREATE INDEX audit_by_actor ON audit (tenant_id, actor, seq);
