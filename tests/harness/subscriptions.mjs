// What a test of billing looks at again and again: where a subscription stands, and whether Stripe's events were processed.
import assert from 'node:assert/strict';
import { bearer, get } from './http.mjs';
import { eventually } from './usage.mjs';

/** An event that cannot be processed at once comes again after twenty seconds: a wait must be longer than that. */
export const PATIENCE_MS = 60_000;

/**
 * @param {{url: string}} platform
 * @param {string} operatorToken
 * @param {{deliverAll: (platform: {url: string}) => Promise<void>}} stripe
 */
export function subscriptionsOf(platform, operatorToken, stripe) {
  const held = async (who, product = 'agent') => (await get(platform, `/subscription?product=${product}`, { token: who.access_token })).data;
  const eventsOf = async (status) => (await get(platform, `/admin/stripe-events?status=${status}&limit=100`, { headers: bearer(operatorToken) })).data.data;
  const nothingWaits = () => eventually('no event is waiting', async () => (await eventsOf('pending')).length === 0, PATIENCE_MS);
  return {
    /** Where somebody's subscription stands. */
    held,
    /** Waits until it stands so. */
    becomes: (who, what, fits) => eventually(what, async () => {
      const subscription = await held(who);
      return fits(subscription) && subscription;
    }, PATIENCE_MS),
    /** Waits until every event that came was processed. The local queue forgets what is in it when the runtime ends. */
    nothingWaits,
    /** Events that stand so: `pending`, `done`, `ignored`, `dead`. */
    eventsOf,
    /** Everything that happened at Stripe is delivered and processed, and nothing of it is dead. */
    async told() {
      await stripe.deliverAll(platform);
      await nothingWaits();
      assert.deepEqual(await eventsOf('dead'), []);
    },
  };
}
