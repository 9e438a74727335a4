-- Which payment an event says was refunded or disputed: it is fetched when the event is processed.
ALTER TABLE stripe_events ADD COLUMN payment_id TEXT;
