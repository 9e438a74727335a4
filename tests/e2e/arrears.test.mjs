// Grace is counted from the oldest invoice that is owed: who does not pay has seven days, not seven days every month.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { assertProblem, chat, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { PATIENCE_MS, subscriptionsOf } from '../harness/subscriptions.mjs';
import { eventually } from '../harness/usage.mjs';

const stripe = await startStripe();
const OPERATOR = 'op_0123456789abcdef0123456789';
const TEN_DAYS = 10 * 86_400;
const platform = await withPlatform({ env: { ...stripe.env, CLOCK_OFFSET_SECONDS: String(TEN_DAYS), OPERATOR_TOKEN: OPERATOR } });
stripe.ahead(TEN_DAYS);
before(() => stripe.pushCatalogue(platform));

const { held, becomes, nothingWaits } = subscriptionsOf(platform, OPERATOR, stripe);
const refused = async (who) => assertProblem(await eventually('the meter was told', async () => {
  const answer = await chat(platform, who.access_token);
  return answer.status === 402 && answer;
}, PATIENCE_MS), 402, 'payment_required');

test('what was not paid ten days ago is not opened again by the next invoice, a draft or an open one', async () => {
  // The platform is ten days ahead of Stripe: an invoice of this moment is ten days old there.
  const ada = await register(platform);
  const { data } = await post(platform, '/subscription/checkout', { plan: 'pro' }, { token: ada.access_token });
  const id = await stripe.pay(data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(ada, 'pro is active', ({ plan, status }) => plan === 'pro' && status === 'active');
  const first = await stripe.failPayment(id);
  await stripe.deliverAll(platform);
  const unpaid = await becomes(ada, 'the grace is over', ({ status }) => status === 'unpaid');
  await refused(ada);

  const ends = unpaid.access_ends_at;
  for (const open of [false, true]) {
    await new Promise((done) => setTimeout(done, 1_100)); // Stripe's instants are seconds
    await stripe.nextInvoice(id, { open });
    await stripe.overlay(id, { status: 'past_due' });
    await stripe.deliverAll(platform);
    await nothingWaits();
    const still = await held(ada);
    assert.deepEqual([still.status, still.access_ends_at], ['unpaid', ends], open ? 'an open invoice' : 'a draft');
    await refused(ada);
  }
  const asked = stripe.requests.filter(({ method, path }) => method === 'GET' && path === '/v1/invoices');
  assert.ok(asked.length > 0, 'the unpaid invoices were looked at');

  // It is forgiven, and the newer one is what is owed: seconds younger, and as much too late.
  await stripe.voidInvoice(id, first);
  await stripe.overlay(id, { status: 'past_due' });
  await stripe.deliverAll(platform);
  const later = await becomes(ada, 'counted from the newer one', ({ access_ends_at }) => access_ends_at > ends);
  assert.equal(later.status, 'unpaid');
});
