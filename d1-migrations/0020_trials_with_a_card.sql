-- Trials that a checkout begins with, and trials that nobody gets twice.

-- Until when a trial with a card runs; null when there is none, or something was paid.
ALTER TABLE subscriptions ADD COLUMN card_trial_ends_at INTEGER;
-- Why a registration began without a trial: 'domain' when a team has proven the domain of the address; null for a person who
-- had one before.
ALTER TABLE subscriptions ADD COLUMN trial_denied_by TEXT;
