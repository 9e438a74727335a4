// The webhook receiver: who is let in, that nothing is lost or done twice, and that every order ends in the same state.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { PATIENCE_MS } from '../harness/subscriptions.mjs';
import { eventually } from '../harness/usage.mjs';

const OPERATOR = 'op_0123456789abcdef0123456789';
const SECOND = 'whsec_test_the_one_before_it';
const stripe = await startStripe();
const platform = await withPlatform({ env: { ...stripe.env, STRIPE_WEBHOOK_SECRET: `${SECOND}, ${stripe.secret}`, OPERATOR_TOKEN: OPERATOR } });
before(() => stripe.pushCatalogue(platform));

const operator = { headers: { authorization: `Bearer ${OPERATOR}` } };
const eventsOf = async (query = '') => {
  const all = [];
  for (let cursor; ; ) {
    const { data, status, text } = await get(platform, `/admin/stripe-events?limit=100${query}${cursor ? `&cursor=${cursor}` : ''}`, operator);
    assert.equal(status, 200, text);
    all.push(...data.data);
    cursor = data.next_cursor;
    if (!cursor) return all;
  }
};
const eventOf = async (id) => (await eventsOf()).find((event) => event.id === id);
const ended = (id, status = 'done') => eventually(`${id} is ${status}`, async () => (await eventOf(id))?.status === status, PATIENCE_MS);
const send = (body, headers) => call(platform, 'POST', '/webhooks/stripe', { body, headers });
const cron = (name) => post(platform, '/__dev/cron', { cron: name });
const held = async (who) => (await get(platform, '/subscription', { token: who.access_token })).data;

/** Somebody who has paid for a plan; the events of it are there and not delivered. */
async function subscriber(plan = 'pro') {
  const who = await register(platform);
  const { data } = await post(platform, '/subscription/checkout', { plan }, { token: who.access_token });
  return { ...who, subscription: await stripe.pay(data.checkout_url) };
}
const last = () => stripe.events.at(-1);

let ada;
before(async () => (ada = await subscriber()));

test('a body that is not signed as it must be is 400, and leaves no trace', async () => {
  const event = JSON.stringify(stripe.emit('customer.subscription.updated', await stripe.subscription(ada.subscription)));
  const now = Math.floor(Date.now() / 1000);
  const good = stripe.sign(event)['stripe-signature'];
  const v1 = good.split('v1=')[1];
  const attacks = {
    'no header': {},
    'an empty header': { 'stripe-signature': '' },
    'the signature of another secret': stripe.sign(event, { secret: 'whsec_another' }),
    'no secret at all': stripe.sign(event, { secret: '' }),
    'the signature of another body': stripe.sign(`${event} `),
    'another time under the same signature': { 'stripe-signature': `t=${now - 1},v1=${v1}` },
    'only the test scheme': { 'stripe-signature': `t=${now},v0=${v1}` },
    'five minutes and a bit ago': stripe.sign(event, { timestamp: now - 310 }),
    'five minutes and a bit ahead': stripe.sign(event, { timestamp: now + 310 }),
    'two times, one of them signed': { 'stripe-signature': `t=${now - 9_999},${good}` },
    'no time': { 'stripe-signature': `v1=${v1}` },
    'a time that is none': { 'stripe-signature': `t=soon,v1=${v1}` },
    'a signature cut short': { 'stripe-signature': `t=${now},v1=${v1.slice(0, 62)}` },
    'upper-case names': { 'stripe-signature': good.replace('v1', 'V1') },
  };
  for (const [what, headers] of Object.entries(attacks)) {
    const { detail } = assertProblem(await send(event, headers), 400, 'bad_request');
    assert.doesNotMatch(detail, /whsec|[0-9a-f]{16}/, what);
  }
  assertProblem(await send(`${event} `, { 'stripe-signature': good }), 400);
  for (const body of ['', '{}', '[]', 'null', '{"id":"evt_x"}', '{"id":"cus_1","type":"x","data":{"object":{}}}']) assertProblem(await send(body, stripe.sign(body)), 400, 'bad_request');
  const large = JSON.stringify({ pad: 'x'.repeat(1_100_000) });
  assertProblem(await send(large, stripe.sign(large)), 413);
  assert.equal(await eventOf(JSON.parse(event).id), undefined);
});

test('either secret will do, just within five minutes either way, and while Stripe rolls its own', async () => {
  for (const options of [{}, { secret: SECOND }, { timestamp: Math.floor(Date.now() / 1000) - 290 }, { timestamp: Math.floor(Date.now() / 1000) + 290 }]) {
    const event = stripe.emit('customer.subscription.updated', await stripe.subscription(ada.subscription));
    assert.equal((await stripe.deliver(platform, event, options)).status, 200);
    await ended(event.id);
  }
  const event = JSON.stringify(stripe.emit('payout.paid', { id: 'po_1' }));
  const both = `${stripe.sign(event, { secret: 'whsec_not_ours' })['stripe-signature']},v1=${stripe.sign(event)['stripe-signature'].split('v1=')[1]}`;
  assert.equal((await send(event, { 'stripe-signature': both })).status, 200);
});

test('an event is taken once, however often it comes', async () => {
  const event = await stripe.changed(ada.subscription);
  const answers = await Promise.all(Array.from({ length: 20 }, () => stripe.deliver(platform, event)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(answers.filter(({ data }) => !data.duplicate).length, 1);
  await ended(event.id);
  assert.equal((await stripe.deliver(platform, event)).data.duplicate, true);
  assert.deepEqual((await eventsOf()).filter(({ id }) => id === event.id).map(({ applied }) => applied), [1]);
});

test('what is unknown, or nobody\'s, is kept and ignored', async () => {
  const unknown = stripe.emit('treasury.something.new', { id: 'x_1', subscription: ada.subscription });
  const nobodys = stripe.emit('customer.subscription.updated', { id: 'sub_nobodys', customer: 'cus_nobodys' });
  const gone = stripe.emit('customer.subscription.updated', { id: 'sub_gone', customer: (await stripe.subscription(ada.subscription)).customer });
  for (const event of [unknown, nobodys, gone]) assert.equal((await stripe.deliver(platform, event)).status, 200);
  for (const { id } of [unknown, nobodys, gone]) await ended(id, 'ignored');
});

test('both shapes of the API are followed', async () => {
  for (const [shape, plan] of [['old', 'plus'], ['new', 'pro']]) {
    stripe.shape(shape);
    const who = await subscriber(plan);
    for (const event of stripe.events.slice(-3)) await stripe.deliver(platform, event);
    await eventually(`${shape}: ${plan}`, async () => (await held(who)).plan === plan && (await held(who)).status === 'active', 15_000);
  }
});

test('an event that cannot be read is dead, and an operator sees and replays it', async () => {
  const who = await subscriber();
  await stripe.overlay(who.subscription, { status: 'hibernating' });
  const poison = last();
  assert.equal((await stripe.deliver(platform, poison)).status, 200);
  await ended(poison.id, 'dead');
  const [dead] = await eventsOf('&status=dead');
  assert.deepEqual([dead.id, dead.subscription, dead.applied], [poison.id, who.subscription, 0]);
  assert.match(dead.note, /unknown status/);
  assert.equal((await held(who)).status, 'trialing', 'nothing was changed');
  // The catalogue, or Stripe, was put right.
  await stripe.overlay(who.subscription, { status: 'active' });
  const replay = await post(platform, `/admin/stripe-events/${poison.id}/replay`, undefined, operator);
  assert.equal(replay.status, 202, replay.text);
  await ended(poison.id);
  await eventually('it was followed', async () => (await held(who)).status === 'active');
  assert.equal((await post(platform, '/admin/stripe-events/evt_none/replay', undefined, operator)).status, 404);
  // Nobody else sees any of it.
  for (const path of ['/admin/stripe-events', '/admin/stripe-events?status=dead']) {
    for (const headers of [{}, { authorization: `Bearer ${who.access_token}` }, { authorization: 'Bearer ' }, { authorization: `Bearer ${OPERATOR}x` }, { authorization: `Bearer ${OPERATOR.slice(0, -1)}` }]) assertProblem(await get(platform, path, { headers }), 401, 'unauthorized');
  }
});

test('an event that the queue has lost is found by the clock', async () => {
  const who = await subscriber();
  const created = stripe.events.at(-3);
  await stripe.deliver(platform, created);
  // To its end: what is still told to others when the runtime stops is the queue's to bring again, and the test's to wait for.
  await ended(created.id);
  assert.equal((await held(who)).plan, 'pro');
  await stripe.cancelNow(who.subscription);
  const { id } = last();
  // As it is when the function dies between storing and sending.
  await platform.restart({
    whileStopped: () =>
      withDatabase(platform.stateDir, (database) =>
        database.prepare("INSERT INTO stripe_events (event_id, kind, subscription_id, customer_id, received_at, status, queued_at) VALUES (?, 'customer.subscription.deleted', ?, NULL, 0, 'pending', 0)").run(id, who.subscription),
      ),
  });
  assert.equal((await eventOf(id)).status, 'pending');
  const { data } = await cron('sweep_billing');
  assert.ok(data.ok && data.done >= 1, JSON.stringify(data));
  await ended(id);
  assert.equal((await held(who)).status, 'cancelled');
});

test('Stripe that is down for a moment delays an event and loses none', async () => {
  const who = await subscriber();
  const event = stripe.events.at(-3);
  stripe.fail(/GET \/v1\/subscriptions\//, 500, 500, 500, 500);
  assert.equal((await stripe.deliver(platform, event)).status, 200);
  const waiting = await eventually('it failed once', async () => {
    const found = await eventOf(event.id);
    return found?.attempts === 1 && found;
  }, PATIENCE_MS);
  assert.equal(waiting.status, 'pending');
  await eventually('it was tried again', async () => (await eventOf(event.id)).status === 'done', 40_000);
  assert.equal((await held(who)).plan, 'pro');
});

/** A seeded shuffle (xorshift32; Marsaglia, 2003): a failure can be looked at again. */
function random(seed) {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

test('fifty orders of the same events, with duplicates and drops, end in the same state', async (t) => {
  // What happens to each: the events are captured while it happens, and delivered when it is long over, in any order.
  const orders = 50;
  const subscribers = [];
  for (let n = 0; n < orders; n++) subscribers.push(await subscriber());
  const captured = [];
  for (const { subscription } of subscribers) {
    const from = stripe.events.length;
    const begin = stripe.events.filter(({ data }) => data.object.id === subscription || data.object.subscription === subscription || data.object.parent?.subscription_details?.subscription === subscription);
    await stripe.cancelInPortal(subscription);
    await stripe.overlay(subscription, { status: 'past_due', latest_invoice: { id: 'in_x', object: 'invoice', created: 1_700_000_000 } });
    await stripe.overlay(subscription, { status: 'active' });
    await stripe.cancelInPortal(subscription, false);
    captured.push([...begin, ...stripe.events.slice(from)]);
  }
  let [delivered, dropped, doubled] = [0, 0, 0];
  await Promise.all(
    captured.map(async (events, n) => {
      const next = random(n + 1);
      const order = events.flatMap((event) => (next(5) === 0 ? ((dropped += 1), []) : next(4) === 0 ? ((doubled += 1), [event, event]) : [event]));
      for (let at = order.length - 1; at > 0; at--) {
        const other = next(at + 1);
        [order[at], order[other]] = [order[other], order[at]];
      }
      for (const event of order) {
        assert.equal((await stripe.deliver(platform, event)).status, 200);
        delivered += 1;
      }
    }),
  );
  await eventually('all are processed', async () => (await eventsOf('&status=pending')).length === 0, 60_000);
  // Some were dropped: one look at all that Stripe has.
  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.exec('UPDATE billing_states SET checked_at = 0')) });
  assert.equal((await cron('reconcile_billing')).data.ok, true);
  const states = await Promise.all(
    subscribers.map(async (who) => {
      const { plan, status, interval, seats, cancel_at_period_end, access_ends_at, later } = await held(who);
      return JSON.stringify({ plan, status, interval, seats, cancel_at_period_end, access_ends_at, later });
    }),
  );
  t.diagnostic(`${delivered} deliveries in ${orders} orders, ${doubled} doubled, ${dropped} dropped`);
  // An order of which everything was dropped says nothing: nobody told that anything was bought.
  const never = states.filter((state) => JSON.parse(state).status === 'trialing').length;
  assert.equal(never, 0, 'each order has brought at least one event');
  assert.deepEqual([...new Set(states)], [JSON.stringify({ plan: 'pro', status: 'active', interval: 'month', seats: 1, cancel_at_period_end: false, access_ends_at: null, later: null })]);
});

test('2,000 deliveries at once, a tenth twice, a tenth forged, and workerd is killed twice: every good one is applied once', async (t) => {
  const people = [];
  for (let n = 0; n < 20; n++) people.push(await subscriber(n % 2 ? 'pro' : 'plus'));
  const good = [];
  for (let n = 0; n < 1_600; n++) {
    const { subscription } = people[n % people.length];
    good.push(stripe.emit('customer.subscription.updated', { id: subscription, object: 'subscription', customer: (await customerOf(subscription)) }));
  }
  const forged = good.slice(0, 200).map((event, n) => ({ ...event, id: `evt_forged${n}` }));
  const deliveries = [
    ...good.map((event) => ({ event })),
    ...good.slice(-200).map((event) => ({ event })),
    ...forged.map((event) => ({ event, options: { secret: 'whsec_of_somebody_else' } })),
  ];
  assert.equal(deliveries.length, 2_000);
  const next = random(7);
  deliveries.sort(() => next(3) - 1);
  const outcomes = { 200: 0, 400: 0 };
  let again = 0;
  let begun = 0;
  const one = async ({ event, options }) => {
    begun += 1;
    for (let attempt = 0; attempt < 200; attempt++) {
      try {
        const { status } = await stripe.deliver(platform, event, options);
        if (status === 200 || status === 400) return (outcomes[status] += 1);
      } catch {
        // Nobody answered: Stripe sends it again.
      }
      again += 1;
      await new Promise((done) => setTimeout(done, 100 + next(200)));
    }
    throw new Error(`${event.id} was never answered`);
  };
  const waiting = [...deliveries];
  const workers = Array.from({ length: 200 }, async () => {
    while (waiting.length) await one(waiting.shift());
  });
  const kills = [];
  for (const share of [0.3, 0.6]) {
    await eventually(`${share} are begun`, () => begun >= deliveries.length * share, 120_000);
    kills.push((await platform.killWorkerd()).ms);
  }
  await Promise.all(workers);
  assert.deepEqual(outcomes, { 200: 1_800, 400: 200 });
  // What was with the queue of the runtime that died is found by the clock, a minute later.
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '120' } });
  const goodIds = new Set(good.map(({ id }) => id));
  await eventually('every event is done', async () => {
    await cron('sweep_billing');
    return (await eventsOf('&status=pending')).filter(({ id }) => goodIds.has(id)).length === 0;
  }, 240_000);
  const all = await eventsOf();
  const applied = all.filter(({ id }) => goodIds.has(id));
  assert.equal(applied.length, 1_600, 'each is stored once');
  assert.deepEqual([...new Set(applied.map(({ status, applied: times }) => `${status} ${times}`))], ['done 1']);
  assert.equal(all.filter(({ id }) => id.startsWith('evt_forged')).length, 0);
  for (const [n, who] of people.entries()) assert.deepEqual([(await held(who)).plan, (await held(who)).status], [n % 2 ? 'pro' : 'plus', 'active']);
  // Once in the audit log, once by mail, whatever was killed when.
  await platform.restart({
    whileStopped: () =>
      withDatabase(platform.stateDir, (database) => {
        for (const { user } of people) {
          const changes = database.prepare("SELECT count(*) AS n FROM audit WHERE tenant_id = ? AND action = 'billing.change'").get(user.tenant_id).n;
          const mails = database.prepare("SELECT count(*) AS n FROM mails WHERE tenant_id = ? AND kind = 'plan_started'").get(user.tenant_id).n;
          assert.deepEqual([changes, mails], [1, 1]);
        }
      }),
  });
  t.diagnostic(`2,000 deliveries, ${again} sent again; killed twice, back after ${kills.join(' and ')} ms`);
});

const customers = new Map();
async function customerOf(subscription) {
  if (!customers.has(subscription)) customers.set(subscription, (await stripe.subscription(subscription)).customer);
  return customers.get(subscription);
}

test('nothing panicked', () => platform.assertNoPanic());
