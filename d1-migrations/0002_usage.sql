-- The analytics copy of the ledgers: what was used, by whom, for what. The objects hold the truth; rows come here through
-- a queue, once each, known by owner and ledger number.
-- Instants are milliseconds since 1970 in UTC; hours are instants at their beginning.

CREATE TABLE usage_events (
  tenant_id         TEXT NOT NULL,
  user_id           TEXT NOT NULL,
  product           TEXT NOT NULL,
  seq               INTEGER NOT NULL,
  at                INTEGER NOT NULL,
  reservation_id    TEXT NOT NULL,
  -- 1 when a later row of the same reservation replaces this one (it had expired and was settled late).
  superseded        INTEGER NOT NULL DEFAULT 0,
  requests          INTEGER NOT NULL,
  tokens            INTEGER NOT NULL,
  emails            INTEGER NOT NULL,
  function          TEXT NOT NULL,
  provider          TEXT NOT NULL,
  model             TEXT NOT NULL,
  prompt_tokens     INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  estimated         INTEGER NOT NULL,
  cost_microusd     INTEGER,
  request_id        TEXT NOT NULL,
  outcome           TEXT NOT NULL,
  PRIMARY KEY (tenant_id, user_id, product, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_events_by_time ON usage_events (tenant_id, at);
CREATE INDEX usage_events_by_reservation ON usage_events (tenant_id, reservation_id);

-- Hours whose roll-up is not up to date.
CREATE TABLE usage_dirty_hours (
  tenant_id TEXT NOT NULL,
  hour      INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_hourly (
  tenant_id         TEXT NOT NULL,
  hour              INTEGER NOT NULL,
  user_id           TEXT NOT NULL,
  product           TEXT NOT NULL,
  provider          TEXT NOT NULL,
  model             TEXT NOT NULL,
  requests          INTEGER NOT NULL,
  tokens            INTEGER NOT NULL,
  emails            INTEGER NOT NULL,
  prompt_tokens     INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost_microusd     INTEGER NOT NULL,
  -- Requests whose model has no known price: their cost is unknown, not 0.
  unpriced          INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, hour, user_id, product, provider, model)
) STRICT, WITHOUT ROWID;

-- A share of a limit was reached: once for each meter and period. No user_id: a team's pool.
CREATE TABLE quota_marks (
  tenant_id TEXT NOT NULL,
  owner     TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  user_id   TEXT,
  product   TEXT NOT NULL,
  meter     TEXT NOT NULL,
  percent   INTEGER NOT NULL,
  used      INTEGER NOT NULL,
  quota     INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, owner, seq)
) STRICT, WITHOUT ROWID;

-- Limits of a contract of its own, as JSON ({"requests":{"hard":1000},"tokens":"unlimited"}); NULL: the catalogue's.
ALTER TABLE subscriptions ADD COLUMN limits TEXT;
