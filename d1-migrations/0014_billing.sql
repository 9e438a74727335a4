-- Billing: who is who at Stripe, what it said last, and what is still to be told to others.
-- Instants are milliseconds since 1970 in UTC. Every table with a tenant_id belongs to that tenant.

-- A tenant's customer at Stripe. The claim comes first: whoever makes the customer sends it as idempotency key, so that two
-- at once make one.
CREATE TABLE billing_customers (
  tenant_id   TEXT NOT NULL,
  claim       TEXT NOT NULL,
  claimed_at  INTEGER NOT NULL,
  customer_id TEXT,
  PRIMARY KEY (tenant_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX billing_customers_by_id ON billing_customers (customer_id);

-- The state machine of shared/domain/src/subscription, one for each product of a tenant.
CREATE TABLE billing_states (
  tenant_id       TEXT NOT NULL,
  product         TEXT NOT NULL,
  -- Whose row in subscriptions follows it.
  user_id         TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  state           TEXT NOT NULL,
  -- Effects that were decided and not carried out yet, as JSON.
  pending         TEXT,
  -- A change that waits for the end of the period, as JSON.
  later           TEXT,
  subscription_id TEXT,
  -- When time alone changes something, or effects are tried again.
  due_at          INTEGER,
  -- When it was last compared with all that Stripe has of the customer.
  checked_at      INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, product)
) STRICT, WITHOUT ROWID;

CREATE INDEX billing_states_by_due ON billing_states (due_at);
CREATE INDEX billing_states_by_check ON billing_states (checked_at);

-- One row for each change of a state. Whoever changes one adds the next revision in the same transaction: of two at once,
-- one fails here, and looks at Stripe again.
CREATE TABLE billing_changes (
  tenant_id TEXT NOT NULL,
  product   TEXT NOT NULL,
  revision  INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, product, revision)
) STRICT, WITHOUT ROWID;

-- The one checkout of a tenant for a product that can be paid.
CREATE TABLE billing_checkouts (
  tenant_id  TEXT NOT NULL,
  product    TEXT NOT NULL,
  -- Sent as idempotency key: two at once get the same session.
  claim      TEXT NOT NULL,
  -- What was chosen, as JSON.
  choice     TEXT NOT NULL,
  claimed_at INTEGER NOT NULL,
  session_id TEXT,
  PRIMARY KEY (tenant_id, product)
) STRICT, WITHOUT ROWID;

-- The version of the plan that was bought: its limits stay when the catalogue changes.
ALTER TABLE subscriptions ADD COLUMN plan_version INTEGER NOT NULL DEFAULT 1;
-- Since when the plan is not paid any more.
ALTER TABLE subscriptions ADD COLUMN ended_at INTEGER;
-- Where what was bought stands, see shared/domain/src/subscription/observed.rs; NULL: nothing was.
ALTER TABLE subscriptions ADD COLUMN billing_status TEXT;
