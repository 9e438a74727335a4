-- Teams: invitations, seats, and where a member came from.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- One row for each change of who is in a tenant, as what, or invited. Whoever changes that reads the highest version and
-- adds the next in the same transaction: of two at once, one fails here and decides again.
CREATE TABLE team_changes (
  tenant_id TEXT NOT NULL,
  version   INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
  tenant_id     TEXT NOT NULL,
  invitation_id TEXT NOT NULL,
  email         TEXT NOT NULL,
  role          TEXT NOT NULL,
  invited_by    TEXT NOT NULL,
  -- SHA-256 of the token in the link.
  token_hash    TEXT NOT NULL,
  expires_at    INTEGER NOT NULL,
  accepted_by   TEXT,
  revoked_at    INTEGER,
  PRIMARY KEY (tenant_id, invitation_id)
) STRICT, WITHOUT ROWID;

-- The tenant a member had before joining this one, and goes back to; NULL: has not moved.
ALTER TABLE users ADD COLUMN home_tenant_id TEXT;
ALTER TABLE users ADD COLUMN joined_at INTEGER;

-- How many members are paid for; counts where the plan is a team's.
ALTER TABLE subscriptions ADD COLUMN seats INTEGER NOT NULL DEFAULT 1;
