-- The second factor of a user: one authenticator app, and recovery codes. See shared/domain/src/totp.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE second_factors (
  tenant_id      TEXT NOT NULL,
  user_id        TEXT NOT NULL,
  -- The app's secret, sealed; and the tenant under whose data key it is, which is another one after its user has moved.
  secret         TEXT NOT NULL,
  sealed_for     TEXT NOT NULL,
  enrolled_at    INTEGER NOT NULL,
  -- NULL: shown and not confirmed. Sign-ins do not ask for it yet.
  confirmed_at   INTEGER,
  -- The time step of the latest code that was taken: neither it nor an earlier one is taken again.
  last_step      INTEGER,
  -- JSON: SHA-256 hashes of the codes that are left.
  recovery_codes TEXT,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;
