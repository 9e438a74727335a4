-- Overage: what goes beyond a soft limit in a billing month, and how much of it Stripe was told.
-- Instants are milliseconds since 1970 in UTC. The rules are in shared/domain/src/overage.

CREATE TABLE overage_periods (
  tenant_id    TEXT NOT NULL,
  product      TEXT NOT NULL,
  meter        TEXT NOT NULL,
  period_start INTEGER NOT NULL,
  -- Earlier than the month's end where another subscription began within it.
  period_end   INTEGER NOT NULL,
  included     INTEGER NOT NULL,
  -- 1: all members of the tenant use it up together.
  pooled       INTEGER NOT NULL,
  -- Units that Stripe has taken.
  reported     INTEGER NOT NULL,
  -- An event that is on its way, as JSON: stored before it is sent.
  claim        TEXT,
  -- Rises with every change: of two at once one fails.
  revision     INTEGER NOT NULL,
  -- 1: nothing more comes.
  closed       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, product, meter, period_start)
) STRICT, WITHOUT ROWID;

CREATE INDEX overage_periods_open ON overage_periods (tenant_id, product) WHERE closed = 0;
