// The meters' own databases, opened while the platform is stopped: for states that no call can bring about quickly, or yet.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase, withDatabase } from './database.mjs';

/**
 * Opens the database of every object that knows whose it is. The platform must not be running on them.
 *
 * @param {string} stateDir
 * @param {(database: import('node:sqlite').DatabaseSync, owner: {tenant: string, user?: string, product: string}) => void} work without a user it
 *   is the pool of a team
 */
export function withMeters(stateDir, work) {
  const root = join(stateDir, 'do');
  for (const file of readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.sqlite') && !name.endsWith('metadata.sqlite'))) {
    const database = openDatabase(join(root, file));
    try {
      const owned = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'owner'").get();
      const row = owned && database.prepare('SELECT owner FROM owner').get();
      if (row) work(database, JSON.parse(row.owner));
    } finally {
      database.close();
    }
  }
}

/**
 * Puts users on a plan as billing will: their subscriptions say so, and their meters, which were told of the trial, know
 * nothing any more and ask. What they have used is forgotten.
 *
 * @param {string} stateDir
 * @param {{user: {id: string}, plan?: string, anchor?: Date, limits?: object}[]} subscriptions `limits` as the subscription
 *   has them, a rate among them: `{requests: {hard: 1000}, tokens: 'unlimited', rate: {per_minute: 60, burst: 10}}`
 */
export function subscribe(stateDir, subscriptions) {
  withDatabase(stateDir, (database) => {
    const change = database.prepare('UPDATE subscriptions SET plan = ?, version = version + 1, anchor_at = ?, trial_started_at = NULL, trial_ends_at = NULL, limits = ? WHERE user_id = ?');
    for (const { user, plan = 'pro', anchor = new Date(), limits } of subscriptions) {
      change.run(plan, anchor.getTime(), limits ? JSON.stringify(limits) : null, user.id);
    }
  });
  const changed = new Set(subscriptions.map(({ user }) => user.id));
  withMeters(stateDir, (database, owner) => {
    if (changed.has(owner.user)) database.exec('DELETE FROM ledger; DELETE FROM checkpoint; DELETE FROM exports; DELETE FROM answers;');
  });
}
