-- A trial that was begun with an address which nobody has confirmed is claimed provisionally: whoever confirms the address takes
-- the claim over (1), and whoever registers next when the account that made it is gone (2). Those of before count as they did: who made them is not known any more.
ALTER TABLE trial_claims ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0;
