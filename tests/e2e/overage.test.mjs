// What goes beyond a soft limit reaches Stripe exactly once: in events whose number and values are all asserted, with answers
// lost, the runtime killed, the plan changed, and the month ending in between.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { auditEntries } from '../harness/audit-rows.mjs';
import { withDatabase } from '../harness/database.mjs';
import { bearer, chat, get, patch, post, register } from '../harness/http.mjs';
import { withMeters } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { cataloguePrices, startStripe } from '../harness/stripe-front.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, quota } from '../harness/usage.mjs';

const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const HOUR = 3_600;
const upstream = await startUpstream();
const stripe = await startStripe();
const platform = await withPlatform({ env: { ...stripe.env, ...upstream.env, OPERATOR_TOKEN } });
// Each answer says what it took: `tokens-9000000`.
const answersWith = (tokens) => upstream.answers(`tokens-${tokens}`, ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: tokens - 5, completion_tokens: 5, total_tokens: tokens })));
[9_000_000, 1_000_000, 1].forEach(answersWith);

const held = async (who) => (await get(platform, '/subscription?product=chat', { token: who.access_token })).data;
const change = (who, body) => patch(platform, '/subscription', { product: 'chat', ...body }, { token: who.access_token });
const report = async () => (await post(platform, '/__dev/cron', { cron: 'report_overage' })).data;
const lastRun = async () => (await get(platform, '/admin/jobs?name=report_overage&limit=1', { headers: bearer(OPERATOR_TOKEN) })).data.data[0];
const events = (who) => stripe.meterEvents(who.customer).map(({ event_name, value }) => [event_name, value]);
const sent = () => stripe.requests.filter(({ path }) => path === '/v1/billing/meter_events').length;
const items = async (who) => (await stripe.subscription(who.subscription)).items.data.map(({ price, quantity }) => [price.lookup_key ?? price.id, quantity]);

async function subscriber(plan) {
  const who = await register(platform, { product: 'chat' });
  const { data, text } = await post(platform, '/subscription/checkout', { product: 'chat', plan }, { token: who.access_token });
  const subscription = await stripe.pay(data?.checkout_url ?? assert.fail(text));
  await stripe.deliverAll(platform);
  await eventually(`${plan} is held`, async () => (await held(who)).plan === plan, 20_000);
  return { ...who, subscription, customer: (await stripe.subscription(subscription)).customer, uses: 0 };
}

let clock = 0;
/** The clock of both goes ahead to so many seconds from the real time. */
async function shiftClock(seconds, whileStopped) {
  clock = seconds;
  stripe.ahead(seconds);
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(seconds) }, whileStopped });
}
const signIn = async (who) => Object.assign(who, { access_token: (await post(platform, '/auth/login', { email: who.email, password: who.password, product: 'chat' })).data.access_token });

/** Uses the chat so often and waits until the copy of the ledger has it. A ledger is copied once a minute: it passes by the clock. */
async function use(who, times, tokens = 9_000_000) {
  if (who.uses > 0) await shiftClock(clock + 61);
  await signIn(who);
  for (let n = 0; n < times; n++) {
    const answer = await chat(platform, who.access_token, { model: `openai/tokens-${tokens}`, max_tokens: 10 });
    assert.equal(answer.status, 200, answer.text);
  }
  who.uses += times;
  const copied = async () => (await get(platform, `/usage/summary?from=${new Date(Date.now() - 86_400_000).toISOString()}`, { token: who.access_token })).data?.total.requests;
  const isThere = async () => (await copied()) === who.uses;
  // On a slow machine the copy takes the first of them, and the others a minute later.
  for (let tries = 0; tries < 3; tries++) {
    try {
      return await eventually('the rows are in the database', isThere, 15_000);
    } catch {
      await shiftClock(clock + 61);
      await signIn(who);
    }
  }
  await eventually('the rows are in the database at last', isThere, 15_000);
}

// A ledger was copied when its plan was bought; the next copy comes a minute later.
let ada, bob, eve, kim, joe, zoe, sam, ida;
before(async () => {
  await stripe.pushCatalogue(platform);
  const everybody = await Promise.all(['enterprise', 'enterprise', 'enterprise', 'pro', 'enterprise', 'pro', 'enterprise', 'enterprise'].map(subscriber));
  await shiftClock(61);
  [ada, bob, eve, kim, joe, zoe, sam, ida] = await Promise.all(everybody.map(signIn));
});

test('the catalogue has prices of overage, and Stripe has meters and metered prices of them', async () => {
  const { data } = (await get(platform, '/subscription/plans?product=chat')).data;
  const [product] = data;
  const plan = product.plans.find(({ plan }) => plan === 'enterprise');
  assert.deepEqual(plan.limits, { requests: { soft: { included: 20_000, ceiling: 200_000 } }, tokens: { soft: { included: 20_000_000, ceiling: 200_000_000 } }, emails: 'not_included' });
  assert.deepEqual(plan.overage, [{ meter: 'requests', per_units: 1_000, cents: 100, currency: 'usd' }, { meter: 'tokens', per_units: 1_000_000, cents: 600, currency: 'usd' }]);
  assert.deepEqual(product.plans.filter(({ overage }) => overage.length).map(({ plan }) => plan), ['enterprise']);
  const meters = (await stripe.sdk.billing.meters.list()).data;
  assert.deepEqual(meters.map((meter) => [meter.event_name, meter.default_aggregation.formula, meter.customer_mapping, meter.value_settings]), ['requests', 'tokens'].map((name) => [`tollgate_chat_${name}`, 'sum', { type: 'by_id', event_payload_key: 'stripe_customer_id' }, { event_payload_key: 'value' }]));
  const keys = ['requests', 'tokens'].flatMap((name) => ['month', 'year'].map((interval) => `tollgate_chat_enterprise_v1_overage-${name}_${interval}`));
  const prices = (await stripe.sdk.prices.list({ lookup_keys: keys, active: true })).data;
  assert.deepEqual(prices.map(({ lookup_key, unit_amount_decimal, recurring }) => [lookup_key, String(unit_amount_decimal), recurring.usage_type, recurring.meter]), keys.map((key) => (key.includes('requests') ? [key, '0.1', 'metered', meters[0].id] : [key, '0.0006', 'metered', meters[1].id])));
  const again = await stripe.pushCatalogue(platform);
  assert.deepEqual([again.made, again.kept.length], [[], (await cataloguePrices(platform)).length]);
  assert.equal((await stripe.sdk.billing.meters.list()).data.length, 2);
});

test('what goes beyond is reported once, by however many, and shown to who pays it', async () => {
  assert.deepEqual(await items(ada), [['tollgate_chat_enterprise_v1_base_month', 1], ['tollgate_chat_enterprise_v1_overage-requests_month', undefined], ['tollgate_chat_enterprise_v1_overage-tokens_month', undefined]]);
  await use(ada, 2);
  assert.deepEqual(await report(), { job: 'report_overage', ok: true, done: 0, more: false, outcome: 'done' });
  assert.deepEqual([events(ada), (await held(ada)).overage], [[], []], 'within what is included');
  await use(ada, 1);
  assert.equal((await quota(platform, ada.access_token)).tokens.overage, 7_000_000);
  const begun = Math.floor(Date.now() / 1000) + clock;
  assert.equal((await report()).done, 1);
  const [event] = stripe.meterEvents(ada.customer);
  assert.deepEqual(events(ada), [['tollgate_chat_tokens', 7_000_000]]);
  assert.ok(event.timestamp >= begun - 1 && event.timestamp <= Date.now() / 1000 + clock, 'now, within the month');
  const shown = await held(ada);
  assert.deepEqual(shown.overage.map(({ meter, included, units, cents }) => [meter, included, units, cents]), [['tokens', 20_000_000, 7_000_000, 4_200]]);
  assert.deepEqual([shown.overage[0].period_start, shown.overage[0].period_end], [shown.current_period_start, shown.current_period_end]);
  // Again, and many at once, finds nothing new.
  assert.equal((await report()).done, 0);
  await use(ada, 1, 1_000_000);
  const runs = await Promise.all(Array.from({ length: 6 }, report));
  assert.equal(runs.reduce((sum, { done }) => sum + done, 0), 1, JSON.stringify(runs));
  assert.deepEqual(runs.filter(({ outcome }) => !['done', 'busy'].includes(outcome)), []);
  assert.deepEqual(events(ada), [['tollgate_chat_tokens', 7_000_000], ['tollgate_chat_tokens', 1_000_000]]);
  const identifiers = stripe.meterEvents(ada.customer).map(({ identifier }) => identifier);
  assert.equal(new Set(identifiers).size, 2);
  assert.ok(identifiers.every((identifier) => identifier.includes(ada.user.tenant_id) && identifier.length <= 100));
});

test('answers that are lost, failures and refusals: the sum is the overage', async (t) => {
  await use(bob, 3);
  await t.test('cut after Stripe took it, for a whole run: the same event again, which Stripe knows', async () => {
    stripe.fail(/meter_events/, 0, 0, 0, 0);
    const cut = await report();
    assert.deepEqual([cut.ok, cut.outcome, cut.done], [false, 'failed', 0]);
    assert.match((await lastRun()).error, /did not take 1 reports of overage/);
    assert.deepEqual(events(bob), [['tollgate_chat_tokens', 7_000_000]]);
    assert.equal((await held(bob)).overage[0].units, 7_000_000, 'what is on its way is shown');
    await use(bob, 1, 1_000_000);
    assert.equal((await report()).done, 1, 'known by its identifier');
    assert.deepEqual(events(bob), [['tollgate_chat_tokens', 7_000_000]]);
    assert.equal((await report()).done, 1, 'and then what came since');
    assert.deepEqual(events(bob), [['tollgate_chat_tokens', 7_000_000], ['tollgate_chat_tokens', 1_000_000]]);
  });
  await t.test('Stripe fails for a whole run: the next reports it', async () => {
    await use(bob, 1, 1_000_000);
    stripe.fail(/meter_events/, 500, 500, 500, 500);
    assert.equal((await report()).ok, false);
    assert.equal(events(bob).length, 2);
    assert.equal((await report()).done, 1);
    assert.deepEqual(events(bob).at(-1), ['tollgate_chat_tokens', 1_000_000]);
  });
  await t.test('one is refused, the other goes on; nothing is lost', async () => {
    await use(bob, 1, 1_000_000);
    await use(eve, 3);
    const before = sent();
    stripe.fail(/meter_events/, 400);
    const run = await report();
    assert.deepEqual([run.ok, run.done, sent() - before], [false, 1, 2]);
    await platform.waitForLog(/Stripe refuses overage of ten_.* as tollgate_chat_tokens: a fault of the test/);
    assert.equal((await report()).done, 1);
    assert.deepEqual([events(bob).at(-1), events(bob).length, events(eve)], [['tollgate_chat_tokens', 1_000_000], 4, [['tollgate_chat_tokens', 7_000_000]]]);
  });
  await t.test('no meter at Stripe: it is said, and reported once there is one', async () => {
    await use(eve, 1, 1_000_000);
    stripe.switchMeter('tollgate_chat_tokens', 'inactive');
    for (let n = 0; n < 2; n++) assert.equal((await report()).ok, false);
    await platform.waitForLog(/No active meter found.*catalogue:push/);
    await use(eve, 1, 1_000_000);
    stripe.switchMeter('tollgate_chat_tokens', 'active');
    assert.deepEqual([(await report()).done, (await report()).done], [1, 0]);
    assert.deepEqual(events(eve), [['tollgate_chat_tokens', 7_000_000], ['tollgate_chat_tokens', 2_000_000]]);
  });
});

test('a change of interval swaps the metered prices, a lower plan takes them away, an operator\'s price stays', async () => {
  await use(kim, 1, 1_000_000);
  assert.deepEqual(await items(kim), [['tollgate_chat_pro_v1_base_month', 1]]);
  const up = await change(kim, { plan: 'enterprise' });
  assert.deepEqual([up.status, up.data?.plan], [200, 'enterprise'], up.text);
  const month = [['tollgate_chat_enterprise_v1_base_month', 1], ['tollgate_chat_enterprise_v1_overage-requests_month', undefined], ['tollgate_chat_enterprise_v1_overage-tokens_month', undefined]];
  assert.deepEqual(await items(kim), month);
  await use(kim, 3);
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(kim), [['tollgate_chat_tokens', 8_000_000]], 'what pro used counts in the same month, and so does what enterprise includes');
  const before = (await stripe.subscription(kim.subscription)).items.data.map(({ id }) => id);
  const year = await change(kim, { interval: 'year' });
  assert.deepEqual([year.status, year.data?.interval], [200, 'year'], year.text);
  assert.deepEqual(await items(kim), month.map(([key, quantity]) => [key.replace('_month', '_year'), quantity]));
  assert.deepEqual((await stripe.subscription(kim.subscription)).items.data.map(({ id }) => id), before, 'the items are the same');
  assert.equal((await report()).done, 0);

  const meter = (await stripe.sdk.billing.meters.create({ display_name: 'A contract', event_name: 'our_contract', default_aggregation: { formula: 'sum' } })).id;
  const product = (await stripe.sdk.products.create({ name: 'A contract' })).id;
  const extra = await stripe.sdk.prices.create({ product, currency: 'usd', unit_amount_decimal: '0.01', recurring: { interval: 'year', usage_type: 'metered', meter } });
  stripe.addItem(kim.subscription, extra.id);
  const down = await change(kim, { plan: 'pro', interval: 'year' });
  assert.deepEqual([down.status, down.data?.later?.plan], [200, 'pro'], down.text);
  assert.equal((await items(kim)).length, 4, 'until the year ends nothing changes');
  const schedule = stripe.requests.filter(({ method, path }) => method === 'POST' && /subscription_schedules\/sub_sched_[^/]+$/.test(path)).at(-1).body;
  const form = new URLSearchParams(schedule);
  const phase = (n) => [...form.keys()].filter((key) => key.startsWith(`phases[${n}][items]`)).map((key) => key.replace(/^phases\[\d\]\[items\]/, ''));
  assert.deepEqual(phase(0), ['[0][price]', '[0][quantity]', '[1][price]', '[2][price]', '[3][price]']);
  assert.deepEqual(phase(1), ['[0][price]', '[0][quantity]', '[1][price]']);
  await stripe.endPeriod(kim.subscription);
  await stripe.deliverAll(platform);
  await eventually('pro is held', async () => (await held(kim)).plan === 'pro', 20_000);
  assert.deepEqual(await items(kim), [['tollgate_chat_pro_v1_base_year', 1], [extra.id, undefined]]);
  assert.equal((await report()).done, 0);
  assert.deepEqual(events(kim), [['tollgate_chat_tokens', 8_000_000]]);
});

test('the runtime is killed between sending and the answer: taken over, and counted once', async () => {
  await use(joe, 3);
  let release;
  stripe.fail(/meter_events/, new Promise((done) => (release = done)));
  const before = sent();
  const running = report().catch(() => 'cut');
  await eventually('the event is on its way', () => sent() === before + 1, 20_000);
  await eventually('Stripe has it', () => events(joe).length === 1);
  const back = platform.killWorkerd();
  await Promise.all([back, running]);
  release();
  assert.equal((await report()).outcome, 'busy', 'the run that died has the job for two minutes');
  await shiftClock(clock + 5 * 60);
  const after = await report();
  assert.deepEqual([after.ok, after.done], [true, 1], 'the same event, which Stripe has');
  assert.deepEqual(events(joe), [['tollgate_chat_tokens', 7_000_000]]);
  assert.equal(sent(), before + 2);
  assert.equal((await report()).done, 0);
  const history = (await get(platform, '/admin/jobs?name=report_overage&limit=10', { headers: bearer(OPERATOR_TOKEN) })).data.data;
  assert.ok(history.some(({ outcome }) => outcome === 'lost'));
});

test('a contract with a soft limit of its own is reported, at the price that its operator has set', async () => {
  const limits = JSON.stringify({ requests: { soft: { included: 2, ceiling: 6 } }, tokens: 'unlimited' });
  await shiftClock(clock, () => {
    withDatabase(platform.stateDir, (database) => database.prepare('UPDATE subscriptions SET limits = ?, version = version + 1 WHERE user_id = ?').run(limits, zoe.user.id));
    // The meter knows nothing any more and asks.
    withMeters(platform.stateDir, (database, owner) => {
      if (owner.user === zoe.user.id) database.exec('DELETE FROM ledger; DELETE FROM checkpoint; DELETE FROM exports; DELETE FROM answers;');
    });
  });
  await use(zoe, 5, 1);
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(zoe), [['tollgate_chat_requests', 3]]);
  assert.deepEqual((await held(zoe)).overage.map(({ meter, included, units, cents }) => [meter, included, units, cents]), [['requests', 2, 3, null]]);
  await use(zoe, 1, 1);
  const stopped = await chat(platform, zoe.access_token, { model: 'openai/tokens-1', max_tokens: 1 });
  assert.equal(stopped.status, 429, 'the ceiling stands');
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(zoe), [['tollgate_chat_requests', 3], ['tollgate_chat_requests', 1]]);
});

test('what cannot be found out for a day is not charged, and an operator is told', async () => {
  await use(sam, 3);
  stripe.fail(/meter_events/, 503, 503, 503, 503);
  assert.equal((await report()).ok, false);
  await shiftClock(clock + 24 * HOUR);
  assert.equal((await report()).ok, false);
  await platform.waitForLog(/7000000 tokens of ten_.* chat since .* are not billed/);
  assert.equal((await report()).ok, true);
  await use(sam, 1, 1_000_000);
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(sam), [['tollgate_chat_tokens', 1_000_000]]);
  const entries = await auditEntries(platform, sam.user.tenant_id);
  const given = entries.map(({ body }) => body.details ?? {}).filter((details) => details.not_billed);
  assert.deepEqual(given.map(({ meter, product, not_billed }) => [meter, product, not_billed]), [['tokens', 'chat', '7000000']]);
});

test('a month ends: what came late is reported in it, the next begins at nothing, and the old one is closed', async () => {
  await use(ida, 3);
  assert.equal((await report()).done, 1);
  await use(ida, 1, 1_000_000);
  const { current_period_end: end } = await held(ida);
  const over = Math.floor(Date.parse(end) / 1000);
  const behind = (seconds) => over - Math.floor(Date.now() / 1000) + seconds;
  await shiftClock(behind(2 * HOUR));
  await signIn(ida);
  await use(ida, 2);
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(ida), [['tollgate_chat_tokens', 7_000_000], ['tollgate_chat_tokens', 1_000_000]]);
  assert.equal(stripe.meterEvents(ida.customer).at(-1).timestamp, over - 1, 'the last second of the month that it belongs to');
  await use(ida, 1);
  assert.equal((await report()).done, 1);
  assert.deepEqual(events(ida).at(-1), ['tollgate_chat_tokens', 7_000_000]);
  assert.ok(stripe.meterEvents(ida.customer).at(-1).timestamp >= over, 'the next month has its own');
  const months = (await held(ida)).overage.map(({ period_end, units }) => [period_end === end, units]);
  assert.deepEqual(months, [[true, 8_000_000], [false, 7_000_000]]);
  await shiftClock(behind(25 * HOUR));
  await report();
  const rows = [];
  await platform.restart({
    whileStopped: () => withDatabase(platform.stateDir, (database) => rows.push(...database.prepare('SELECT meter, reported, claim, closed FROM overage_periods WHERE tenant_id = ? ORDER BY period_start, meter').all(ida.user.tenant_id))),
  });
  assert.deepEqual(rows.map(({ meter, reported, claim, closed }) => [meter, reported, claim, closed]), [['requests', 0, null, 1], ['tokens', 8_000_000, null, 1], ['requests', 0, null, 0], ['tokens', 7_000_000, null, 0]]);
  assert.equal(events(ida).length, 3);
});

test('nothing panicked', () => platform.assertNoPanic());
