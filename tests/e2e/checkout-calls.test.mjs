// What a checkout asks of Stripe, request by request: no more than it needs, however many come at once.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { assertProblem, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { eventually } from '../harness/usage.mjs';

const stripe = await startStripe();
const platform = await withPlatform({ env: stripe.env });
before(() => stripe.pushCatalogue(platform));

const checkout = (who, body) => post(platform, '/subscription/checkout', body, { token: who.access_token });

/** What was asked of Stripe meanwhile, ids left out. */
async function asked(work) {
  const from = stripe.requests.length;
  const answer = await work();
  const calls = stripe.requests.slice(from).map(({ method, path }) => `${method} ${path.replace(/(cs_test|sub|cus)_\w+/, '…')}`);
  return { answer, calls };
}
const count = (calls, call) => calls.filter((one) => one === call).length;
const opened = ({ status, text, data }) => {
  assert.equal(status, 200, text);
  assert.match(data.checkout_url, /^https:\/\/checkout\.stripe\.test\//);
  return data.checkout_url;
};

const CUSTOMER = 'POST /v1/customers';
const PRICES = 'GET /v1/prices';
const SUBSCRIPTIONS = 'GET /v1/subscriptions';
const SESSION = 'POST /v1/checkout/sessions';
const LOOK = 'GET /v1/checkout/sessions/…';
const CLOSE = 'POST /v1/checkout/sessions/…/expire';

test('a checkout costs three requests at most: the first, the same again, another choice', async () => {
  const ada = await register(platform);
  const first = await asked(() => checkout(ada, { plan: 'pro' }));
  assert.deepEqual(first.calls, [CUSTOMER, PRICES, SESSION]);
  const again = await asked(() => checkout(ada, { plan: 'pro' }));
  assert.deepEqual(again.calls, [SUBSCRIPTIONS, LOOK]);
  assert.equal(opened(again.answer), opened(first.answer), 'it is the same one');
  // What the plan costs at Stripe is known by now.
  const bob = await asked(async () => checkout(await register(platform), { plan: 'pro' }));
  assert.deepEqual(bob.calls, [CUSTOMER, SESSION]);
  opened((await asked(() => checkout(ada, { plan: 'plus' }))).answer);
  const other = await asked(() => checkout(ada, { plan: 'pro' }));
  assert.deepEqual(other.calls, [SUBSCRIPTIONS, CLOSE, SESSION]);
  assert.notEqual(opened(other.answer), opened(first.answer), 'that one is closed');
});

test('of twelve at once for twelve choices each costs three requests, and one session can be paid', async () => {
  const eve = await register(platform);
  opened(await checkout(eve, { plan: 'teams', seats: 1 }));
  const { answer, calls } = await asked(() => Promise.all(Array.from({ length: 12 }, (_, n) => checkout(eve, { plan: 'teams', seats: n + 2 }))));
  const urls = answer.map(opened);
  assert.equal(new Set(urls).size, 12);
  assert.deepEqual([count(calls, SUBSCRIPTIONS), count(calls, CLOSE), count(calls, SESSION), calls.length], [12, 12, 12, 36]);
  const open = urls.filter((url) => stripe.session(url).status === 'open');
  assert.equal(open.length, 1);
});

test('of twelve at once for the same choice one asks for a customer and a session, and the others wait for it', async () => {
  const sam = await register(platform);
  const { answer, calls } = await asked(() => Promise.all(Array.from({ length: 12 }, () => checkout(sam, { plan: 'pro' }))));
  assert.equal(new Set(answer.map(opened)).size, 1);
  assert.deepEqual([count(calls, CUSTOMER), count(calls, SESSION), count(calls, LOOK), count(calls, CLOSE)], [1, 1, 11, 0]);
  const later = await asked(() => Promise.all(Array.from({ length: 12 }, () => checkout(sam, { plan: 'pro' }))));
  assert.deepEqual([count(later.calls, SUBSCRIPTIONS), count(later.calls, LOOK), later.calls.length], [12, 12, 24]);
});

test('an upgrade, the portal and the invoices', async () => {
  const kim = await register(platform);
  const id = await stripe.pay(opened(await checkout(kim, { plan: 'pro' })));
  await stripe.deliverAll(platform);
  await eventually('pro is active', async () => (await get(platform, '/subscription', { token: kim.access_token })).data.status === 'active');
  await eventually('Stripe is left alone', async () => {
    const before = stripe.requests.length;
    await new Promise((done) => setTimeout(done, 500));
    return stripe.requests.length === before;
  }, 20_000);
  const up = await asked(() => checkout(kim, { plan: 'plus' }));
  assert.equal(up.answer.data.checkout_url, null, up.answer.text);
  assert.match(id, /^sub_/);
  assert.deepEqual(up.calls, [SUBSCRIPTIONS, 'GET /v1/subscriptions/…', 'POST /v1/subscriptions/…', 'GET /v1/subscriptions/…']);
  const portal = await asked(() => post(platform, '/subscription/portal', {}, { token: kim.access_token }));
  assert.deepEqual(portal.calls, ['POST /v1/billing_portal/sessions'], portal.answer.text);
  const invoices = await asked(() => get(platform, '/subscription/invoices', { token: kim.access_token }));
  assert.deepEqual(invoices.calls, ['GET /v1/invoices'], invoices.answer.text);
});

test('what is refused leaves nobody waiting, and the same key is not asked for again', async () => {
  const jo = await register(platform);
  stripe.fail(/POST \/v1\/checkout\/sessions$/, 400);
  const refused = await asked(() => checkout(jo, { plan: 'pro' }));
  assertProblem(refused.answer, 503, 'dependency_unavailable');
  assert.deepEqual(refused.calls, [CUSTOMER, SESSION]);
  const keys = () => stripe.requests.filter(({ method, path }) => method === 'POST' && path === '/v1/checkout/sessions').map(({ key }) => key);
  opened(await checkout(jo, { plan: 'pro' }));
  assert.equal(new Set(keys().slice(-2)).size, 2);
});

test('nothing has panicked', () => platform.assertNoPanic());
