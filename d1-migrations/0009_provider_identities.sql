-- Signing in through other parties: who is known there as whom, and sign-ins on their way.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- Whose account a provider's subject opens. Like identities, it is read without a tenant and lives on the first shard.
CREATE TABLE provider_identities (
  -- Whose word it is: google, github, oidc, or the tenant whose single sign-on it is.
  realm       TEXT NOT NULL,
  issuer      TEXT NOT NULL,
  subject     TEXT NOT NULL,
  identity_id TEXT NOT NULL,
  tenant_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  -- The address that the provider told when it was linked.
  email       TEXT,
  linked_at   INTEGER NOT NULL,
  PRIMARY KEY (realm, issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX provider_identities_of_user ON provider_identities (tenant_id, user_id, identity_id);

-- A browser that was sent to a provider and has not come back: nobody's yet. Taken out by the callback.
CREATE TABLE sign_in_flows (
  -- SHA-256 of the state, and of the browser's cookie.
  state_hash   TEXT PRIMARY KEY,
  browser_hash TEXT NOT NULL,
  -- google, github, oidc, or the tenant whose single sign-on it is.
  realm        TEXT NOT NULL,
  verifier     TEXT NOT NULL,
  nonce        TEXT NOT NULL,
  return_to    TEXT,
  expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_flows_by_end ON sign_in_flows (expires_at);

-- Somebody came back and a page was told so with a code. Taken out when the code is exchanged for tokens.
CREATE TABLE sign_in_codes (
  code_hash    TEXT PRIMARY KEY,
  -- NULL: any browser may exchange it (a page on a developer's machine).
  browser_hash TEXT,
  tenant_id    TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  realm        TEXT NOT NULL,
  is_new       INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_codes_by_end ON sign_in_codes (expires_at);
