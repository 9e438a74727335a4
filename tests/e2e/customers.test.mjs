// A customer that Stripe does not know (any more), and a price that it does not take: what is bought is bought all the same, and
// nobody loses a plan by a wrong key.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, chat, get, patch, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { PATIENCE_MS, subscriptionsOf } from '../harness/subscriptions.mjs';
import { eventually } from '../harness/usage.mjs';

const stripe = await startStripe();
const OPERATOR = 'op_0123456789abcdef0123456789';
const platform = await withPlatform({ env: { ...stripe.env, OPERATOR_TOKEN: OPERATOR } });
before(() => stripe.pushCatalogue(platform));

const { held, becomes, told } = subscriptionsOf(platform, OPERATOR, stripe);
const checkout = (who, body) => post(platform, '/subscription/checkout', body, { token: who.access_token });
const cron = (name) => post(platform, '/__dev/cron', { cron: name });
const nobodyTells = () => stripe.events.forEach((event) => Object.defineProperty(event, 'delivered', { value: true }));
const opened = ({ status, text, data }) => {
  assert.equal(status, 200, text);
  assert.match(data.checkout_url ?? '', /^https:\/\/checkout\.stripe\.test\//, text);
  return data.checkout_url;
};
async function subscriber(plan = 'pro') {
  const who = await register(platform);
  const url = opened(await checkout(who, { plan }));
  const { customer } = stripe.session(url);
  const id = await stripe.pay(url);
  await told();
  await becomes(who, `${plan} is active`, (it) => it.plan === plan && it.status === 'active');
  return { who, id, customer };
}

test('a customer that was deleted at Stripe is made anew, and what was paid for is over', async () => {
  const { who, customer } = await subscriber();
  await stripe.deleteCustomer(customer);
  nobodyTells();
  const url = opened(await checkout(who, { plan: 'plus' }));
  assert.notEqual(stripe.session(url).customer, customer);
  assert.equal((await held(who)).status, 'cancelled');
  await stripe.pay(url);
  await told();
  await becomes(who, 'plus is active', ({ plan, status }) => plan === 'plus' && status === 'active');
  await eventually('the meter was told', async () => (await chat(platform, who.access_token)).status === 200);
});

test('a checkout that was begun for a customer who was deleted is begun anew, once', async () => {
  const who = await register(platform);
  const { customer } = stripe.session(opened(await checkout(who, { plan: 'pro' })));
  await stripe.deleteCustomer(customer);
  const both = (await Promise.all([checkout(who, { plan: 'plus' }), checkout(who, { plan: 'plus' })])).map(opened);
  assert.equal(both[0], both[1]);
  assert.notEqual(stripe.session(both[0]).customer, customer);
  assert.equal(opened(await checkout(who, { plan: 'plus' })), both[0]);
});

test('the portal opens for another customer, and the list of invoices is empty', async () => {
  const { who, customer } = await subscriber();
  await stripe.deleteCustomer(customer);
  nobodyTells();
  const invoices = await get(platform, '/subscription/invoices', { token: who.access_token });
  assert.deepEqual([invoices.status, invoices.data], [200, { data: [], next_cursor: null }], invoices.text);
  const portal = await post(platform, '/subscription/portal', {}, { token: who.access_token });
  assert.equal(portal.status, 200, portal.text);
  assert.match(portal.data.portal_url, /^https:\/\/billing\.stripe\.test\//);
  assert.equal((await held(who)).status, 'cancelled', 'Stripe knows the subscription, and that it is over');
  // With the new customer everything goes on.
  await stripe.pay(opened(await checkout(who, { plan: 'pro' })));
  await told();
  await becomes(who, 'pro is active', ({ plan, status }) => plan === 'pro' && status === 'active');
});

test('with the key of the other mode nobody loses a plan, another can be bought, and with the right key all is as before', async () => {
  const { who, id, customer } = await subscriber();
  const bystander = await subscriber();
  stripe.otherMode([customer, bystander.customer]);
  // The clock takes nothing from anybody.
  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.exec('UPDATE billing_states SET checked_at = 0')) });
  await cron('reconcile_billing');
  for (const one of [who, bystander.who]) {
    const { plan, status } = await held(one);
    assert.deepEqual([plan, status], ['pro', 'active']);
    assert.equal((await chat(platform, one.access_token)).status, 200);
  }

  const second = stripe.session(opened(await checkout(who, { plan: 'plus' }))).customer;
  assert.notEqual(second, customer);
  assert.deepEqual([(await held(who)).plan, (await held(who)).status], ['pro', 'active']);
  assert.equal((await chat(platform, who.access_token)).status, 200);
  await platform.waitForLog(new RegExp(`Stripe does not know the customer ${customer}`));
  // What is not known there cannot be changed there.
  for (const body of [{ seats: 2 }, { cancel_at_period_end: true }]) {
    const answer = await patch(platform, '/subscription', body, { token: who.access_token });
    assertProblem(answer, 422, 'not_an_upgrade');
  }
  assert.equal((await post(platform, '/subscription/portal', {}, { token: bystander.who.access_token })).status, 200);
  assert.equal((await held(bystander.who)).status, 'active');

  // The key is put right: the customers of meanwhile are unknown now, and those of before are found again.
  const requests = stripe.requests.length;
  stripe.otherMode([second]);
  const up = await checkout(who, { plan: 'plus' });
  assert.deepEqual([up.status, up.data.checkout_url], [200, null], up.text);
  assert.equal(up.data.subscription.plan, 'plus');
  assert.equal(stripe.requests.slice(requests).filter(({ method, path }) => method === 'POST' && path === '/v1/customers').length, 0);
  const portal = await post(platform, '/subscription/portal', {}, { token: who.access_token });
  assert.equal(portal.status, 200, portal.text);
  assert.match(stripe.requests.at(-1).body, new RegExp(`customer=${customer}&`));
  stripe.otherMode([]);

  // A late event of the customer of before is still theirs.
  await stripe.cancelNow(id);
  await told();
  await becomes(who, 'over', ({ status }) => status === 'cancelled');
  assert.ok(!platform.log.some((line) => line.includes(`${who.user.tenant_id} pays twice`)));

  // Who is deleted here is deleted there under every number.
  const deleted = await call(platform, 'DELETE', '/user', { token: who.access_token, body: { password: who.password } });
  assert.equal(deleted.status, 202, deleted.text);
  const gone = new Set();
  await eventually('both customers are gone at Stripe', async () => {
    assert.equal((await cron('delete_users')).status, 200);
    stripe.requests.filter(({ method }) => method === 'DELETE').forEach(({ path }) => gone.add(path));
    return [customer, second].every((one) => gone.has(`/v1/customers/${one}`));
  }, PATIENCE_MS);
});

test('a price that was archived is looked up anew, once', async () => {
  const lookups = () => stripe.requests.filter(({ method, path }) => method === 'GET' && path === '/v1/prices').length;
  opened(await checkout(await register(platform), { plan: 'pro' }));
  const successor = await stripe.replacePrice('tollgate_agent_pro_v1_base_month');
  const from = lookups();
  const url = opened(await checkout(await register(platform), { plan: 'pro' }));
  assert.deepEqual([stripe.session(url).lines.map(({ price }) => price), lookups() - from], [[successor], 1]);

  // What runs moves up to a price that was replaced.
  const { who } = await subscriber();
  opened(await checkout(await register(platform), { plan: 'plus' }));
  await stripe.replacePrice('tollgate_agent_plus_v1_base_month');
  const up = await checkout(who, { plan: 'plus' });
  assert.deepEqual([up.status, up.data.subscription?.plan], [200, 'plus'], up.text);

  // And down, at the end of the period.
  await stripe.replacePrice('tollgate_agent_pro_v1_base_month');
  const down = await patch(platform, '/subscription', { plan: 'pro' }, { token: who.access_token });
  assert.deepEqual([down.status, down.data.later?.plan], [200, 'pro'], down.text);

  // Without a successor it cannot be bought, and says why; then there is one.
  opened(await checkout(await register(platform), { plan: 'pro', interval: 'year' }));
  const of = await stripe.replacePrice('tollgate_agent_pro_v1_base_year', { successor: false });
  const late = await register(platform);
  const before = lookups();
  assertProblem(await checkout(late, { plan: 'pro', interval: 'year' }), 503, 'billing_not_configured');
  assert.equal(lookups() - before, 1);
  await stripe.replacePrice('tollgate_agent_pro_v1_base_year', { of });
  opened(await checkout(late, { plan: 'pro', interval: 'year' }));
});

test('nothing has panicked', () => platform.assertNoPanic());
