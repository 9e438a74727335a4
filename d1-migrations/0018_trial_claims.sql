-- One trial for each person, and which mails somebody wants.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- Who had a trial of a product, by digest: see shared/domain/src/trial/claim.rs. It outlives the account: nothing in it leads
-- to anybody. Lives on the first shard.
CREATE TABLE trial_claims (
  digest     TEXT PRIMARY KEY,
  -- Random: which registration it was.
  claim      TEXT NOT NULL,
  claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is reminded of, in the order in which it ends.
CREATE INDEX subscriptions_by_trial_end ON subscriptions (trial_ends_at, tenant_id, user_id, product) WHERE plan = 'trial';

-- No row: every mail is wanted.
CREATE TABLE notification_preferences (
  tenant_id       TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  reminders       INTEGER NOT NULL DEFAULT 1,
  quota_warnings  INTEGER NOT NULL DEFAULT 1,
  summary         INTEGER NOT NULL DEFAULT 1,
  -- What links in mails that switch one kind off are signed with. Whoever reads it can switch mails off, and nothing else.
  unsubscribe_key TEXT NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

-- What became of a mail.
ALTER TABLE mails ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
-- When it was given up; an operator can have it sent again.
ALTER TABLE mails ADD COLUMN failed_at INTEGER;
ALTER TABLE mails ADD COLUMN error TEXT;

CREATE INDEX mails_failed ON mails (failed_at) WHERE failed_at IS NOT NULL;
