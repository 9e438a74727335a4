-- Deleting a user, and the proof that is left. See shared/domain/src/deletion.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE deletions (
  tenant_id    TEXT NOT NULL,
  deletion_id  TEXT NOT NULL,
  -- SHA-256 of the user's id: what comes late from a queue is known by it, and dropped.
  subject      TEXT NOT NULL,
  -- tenant, member
  extent       TEXT NOT NULL,
  -- requested, unlisted, stopped, unbilled, emptied, cleared, erased, proven
  state        TEXT NOT NULL,
  -- What was deleted so far, counted: {"d1":{"sessions":3}}
  removed      TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  -- Personal data that the deletion itself needs, each gone when it is not needed any more.
  user_id      TEXT,
  email        TEXT,
  name         TEXT,
  -- 1 when the address was the user's, as far as a mail to it proves that.
  verified     INTEGER NOT NULL,
  -- SHA-256 of the address: mails that are on their way are dropped. Gone after an hour.
  address      TEXT,
  -- Other tenants the user was in, with a blank between them.
  others       TEXT NOT NULL,
  -- What usage in a team is kept under.
  pseudonym    TEXT NOT NULL,
  -- The hash of the last entry of the tenant's log, where that goes too.
  audit_head   TEXT,
  finished_at  INTEGER,
  proof        TEXT,
  proof_hash   TEXT,
  PRIMARY KEY (tenant_id, deletion_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX deletions_by_subject ON deletions (tenant_id, subject);
CREATE INDEX deletions_open ON deletions (requested_at) WHERE state <> 'proven';
CREATE INDEX deletions_addresses ON deletions (requested_at) WHERE address IS NOT NULL;

-- The tenants a user was in before, each with a blank before it: what is there is found when the user is deleted.
ALTER TABLE identities ADD COLUMN former_tenants TEXT NOT NULL DEFAULT '';

-- Whose home a tenant is, and what is addressed to whom, in all tenants.
CREATE INDEX users_by_home ON users (home_tenant_id) WHERE home_tenant_id IS NOT NULL;
CREATE INDEX invitations_by_email ON invitations (email);
CREATE INDEX mails_by_recipient ON mails (recipient);
