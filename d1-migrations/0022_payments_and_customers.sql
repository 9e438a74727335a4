-- Which payment an event says was refunded or disputed: it is fetched when the event is processed.
ALTER TABLE stripe_events ADD COLUMN payment_id TEXT;

-- Customers that a tenant had at Stripe before, which Stripe did not know any more when it was asked: deleted, or of another
-- account or mode. Late events still name them, and a key that is put right knows them again.
CREATE TABLE billing_former_customers (
  tenant_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  -- When it was given up, in milliseconds.
  until       INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, customer_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX billing_former_customers_by_id ON billing_former_customers (customer_id);

-- A session that is to be closed before the next is opened, so that nobody pays both.
ALTER TABLE billing_checkouts ADD COLUMN closing_id TEXT;
