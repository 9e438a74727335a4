-- Stripe's events: each is stored once, before it is answered, and processed from here.
-- Instants are milliseconds since 1970 in UTC. No tenant_id: whose event it is, is found out when it is processed. Lives on
-- the first shard.

CREATE TABLE stripe_events (
  seq             INTEGER PRIMARY KEY,
  event_id        TEXT NOT NULL UNIQUE,
  kind            TEXT NOT NULL,
  subscription_id TEXT,
  customer_id     TEXT,
  received_at     INTEGER NOT NULL,
  -- pending, done, ignored, dead
  status          TEXT NOT NULL,
  -- When it was last given to the queue, or is to be tried again.
  queued_at       INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  -- How often it was applied: once.
  applied         INTEGER NOT NULL DEFAULT 0,
  finished_at     INTEGER,
  -- Why it is ignored or dead.
  note            TEXT
) STRICT;

CREATE INDEX stripe_events_by_status ON stripe_events (status, queued_at);
