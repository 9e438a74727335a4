// The audit log as it is stored: what a tenant's chain holds, read while the platform is stopped for a moment.
import { withDatabase } from './database.mjs';

/**
 * @param {import('./platform.mjs').TestPlatform} platform is restarted
 * @param {string} tenant
 * @returns {Promise<{action: string, outcome: string, body: any}[]>} oldest first
 */
export async function auditEntries(platform, tenant) {
  let rows;
  await platform.restart({
    whileStopped: () => {
      rows = withDatabase(platform.stateDir, (database) => database.prepare('SELECT action, outcome, body FROM audit WHERE tenant_id = ? ORDER BY seq').all(tenant));
    },
  });
  return rows.map(({ action, outcome, body }) => ({ action, outcome, body: JSON.parse(body) }));
}
