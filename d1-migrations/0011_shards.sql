-- Several databases: accounts on the way into one that is not the first, where the directory is.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- D1 has no transaction over two databases. Rows on a later shard are written together with a note here, then the directory on the
-- first shard, then the note is removed: a note that stays says where it broke off. See shared/domain/src/shards.rs.
CREATE TABLE arrivals (
  tenant_id TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  email     TEXT NOT NULL,
  -- registered, moved
  how       TEXT NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX arrivals_by_time ON arrivals (at);
