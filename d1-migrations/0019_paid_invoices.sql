-- Which invoice an event says was paid: its receipt is written once the invoice was fetched.
ALTER TABLE stripe_events ADD COLUMN invoice_id TEXT;
