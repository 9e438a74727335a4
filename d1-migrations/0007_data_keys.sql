-- The tenants' data keys, sealed under the installation's master key. See shared/platform/src/vault.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE data_keys (
  tenant_id      TEXT NOT NULL,
  version        INTEGER NOT NULL,
  -- The version of the master key that `sealed` says it is under: what is behind the newest is found by it.
  master_version INTEGER NOT NULL,
  sealed         TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX data_keys_by_master_version ON data_keys (master_version, tenant_id, version);
