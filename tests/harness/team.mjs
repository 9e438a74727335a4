// A team: users that registered by themselves, moved into one tenant that holds a pooled plan. Invitations and checkout, which
// will bring such a team about, come later; what the meters see of it is the same.
import { post, register } from './http.mjs';
import { withDatabase } from './database.mjs';

/**
 * @param {import('./platform.mjs').TestPlatform} platform is restarted
 * @param {object} options
 * @param {number} options.members
 * @param {object} options.limits as in the ledger: `{requests: {hard: 1000}, tokens: 'unlimited'}`
 * @param {Date} [options.anchor] when billing began
 * @returns {Promise<{user: any, access_token: string, email: string, password: string}[]>} the first is the owner
 */
export async function makeTeam(platform, { members, limits, anchor = new Date() }) {
  const users = [];
  for (let n = 0; n < members; n++) users.push(await register(platform));
  const [owner] = users;
  const tenant = owner.user.tenant_id;
  await platform.restart({
    whileStopped: () =>
      withDatabase(platform.stateDir, (database) => {
        const change = (sql, ...values) => database.prepare(sql).run(...values);
        for (const { user } of users.slice(1)) {
          change("UPDATE users SET tenant_id = ?, role = 'member' WHERE user_id = ?", tenant, user.id);
          change('UPDATE identities SET tenant_id = ? WHERE user_id = ?', tenant, user.id);
          change('DELETE FROM sessions WHERE user_id = ?', user.id);
          change('DELETE FROM subscriptions WHERE user_id = ?', user.id);
        }
        change("UPDATE subscriptions SET plan = 'teams', version = 2, anchor_at = ?, trial_started_at = NULL, trial_ends_at = NULL, limits = ? WHERE tenant_id = ?", anchor.getTime(), JSON.stringify(limits), tenant);
      }),
  });
  // The owner's own meter was told of its trial when it registered, and billing, which would tell it of the team, comes later:
  // the owner looks on, the others work.
  return Promise.all(
    users.map(async ({ email, password, ...rest }) => {
      const { data } = await post(platform, '/auth/login', { email, password });
      return { ...rest, ...data, email, password };
    }),
  );
}
