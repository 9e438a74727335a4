-- Single sign-on of a tenant: its provider, and the domains that are proven to be its own.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE single_sign_on (
  tenant_id     TEXT PRIMARY KEY,
  issuer        TEXT NOT NULL,
  client_id     TEXT NOT NULL,
  -- Sealed: see shared/platform/src/vault.
  client_secret TEXT NOT NULL,
  changed_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_on_domains (
  tenant_id   TEXT NOT NULL,
  domain      TEXT NOT NULL,
  -- What stands in the DNS record.
  token       TEXT NOT NULL,
  claimed_at  INTEGER NOT NULL,
  verified_at INTEGER,
  PRIMARY KEY (tenant_id, domain)
) STRICT, WITHOUT ROWID;

-- Several may claim a domain; one has it.
CREATE UNIQUE INDEX sign_on_domains_verified ON sign_on_domains (domain) WHERE verified_at IS NOT NULL;
