-- Settings of a user: what clients keep here, as one JSON object.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

CREATE TABLE user_configs (
  tenant_id  TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  -- Rises with every change; the ETag.
  version    INTEGER NOT NULL,
  settings   TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;
