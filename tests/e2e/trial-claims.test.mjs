// Trials at the checkout, and that no card, person or company gets one twice; against a Stripe that keeps state.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditEntries } from '../harness/audit-rows.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, del, freshEmail, get, patch, post, register } from '../harness/http.mjs';
import { withMeters } from '../harness/meters.mjs';
import { mailsTo, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { eventually, quota } from '../harness/usage.mjs';

/** TXT records, by name. */
const records = new Map();
const resolver = createServer((request, response) => {
  const name = new URL(request.url, 'http://resolver').searchParams.get('name');
  const answer = (records.get(name) ?? []).map((text) => ({ name, type: 16, TTL: 300, data: `"${text}"` }));
  response.writeHead(200, { 'content-type': 'application/dns-json' }).end(JSON.stringify({ Status: answer.length ? 0 : 3, Answer: answer }));
}).listen(0, '127.0.0.1');
await once(resolver, 'listening');
after(() => resolver.close());

const stripe = await startStripe();
const platform = await withPlatform({ env: { ...stripe.env, DOH_BASE_URL: `http://127.0.0.1:${resolver.address().port}/dns-query`, OPERATOR_TOKEN: 'op_0123456789abcdef0123456789' } });
before(() => stripe.pushCatalogue(platform));

const DAY_MS = 86_400_000;
const as = (who) => ({ token: who.access_token });
const held = async (who, product = 'chat') => (await get(platform, `/subscription?product=${product}`, as(who))).data;
const trialOf = async (who, product = 'chat') => (await get(platform, `/user/trial-status?product=${product}`, as(who))).data;
const checkout = (who, body) => post(platform, '/subscription/checkout', { product: 'chat', plan: 'pro', ...body }, as(who));
const change = (who, body) => patch(platform, '/subscription', { product: 'chat', ...body }, as(who));
const becomes = (who, what, fits, product) => eventually(what, async () => {
  const subscription = await held(who, product);
  return fits(subscription) && subscription;
}, 30_000);
const chargedTo = async (id) => stripe.charged((await stripe.subscription(id)).customer);
let cards = 0;
/** A card that nobody has used yet. */
const freshCard = () => `42424242${String(++cards).padStart(8, '0')}`;
/** Somebody gives a card at the checkout, which begins with a trial of that many days. */
async function tries(who, { card = freshCard(), days = 7, ...body } = {}) {
  const { status, data, text } = await checkout(who, body);
  assert.equal(status, 200, text);
  assert.equal(data.trial_days, days, text);
  return stripe.pay(data.checkout_url, { card });
}
const isRefused = async (who, id, product) => {
  await eventually('it is ended at Stripe', async () => (await stripe.subscription(id)).status === 'canceled', 60_000);
  assert.equal((await stripe.subscription(id)).metadata.tollgate_trial, 'refused');
  await becomes(who, 'the trial is over', ({ status }) => status !== 'trialing', product);
  assert.equal(await chargedTo(id), 0, 'nothing was charged');
};

test('a product that nobody had begins with a trial: a card, no money, the limits of the trial; then it is paid', async (t) => {
  const ada = await register(platform);
  const chosen = await checkout(ada, { plan: 'pro' });
  assert.equal(chosen.status, 200, chosen.text);
  assert.equal(chosen.data.trial_days, 7);
  assert.equal((await checkout(ada, { plan: 'pro' })).data.checkout_url, chosen.data.checkout_url, 'the same, however often it is asked for');
  const sent = new URLSearchParams(stripe.requests.filter(({ path }) => path === '/v1/checkout/sessions').at(-1).body);
  assert.deepEqual([sent.get('subscription_data[trial_period_days]'), sent.get('payment_method_collection'), sent.get('subscription_data[metadata][tollgate_trial]'), sent.get('subscription_data[metadata][tollgate_product]')], ['7', 'always', 'card', 'chat']);
  const own = await checkout(ada, { product: 'agent' });
  assert.deepEqual([own.status, own.data.trial_days], [200, null], 'the product of her own trial is paid at once');

  const id = await stripe.pay(chosen.data.checkout_url, { card: freshCard() });
  await stripe.deliverAll(platform);
  const trialing = await becomes(ada, 'the trial runs', ({ status, plan }) => status === 'trialing' && plan === 'trial');
  const days = (new Date(trialing.trial_ends_at) - Date.now()) / DAY_MS;
  assert.ok(days > 6.9 && days <= 7, `${days} days`);
  assert.deepEqual([trialing.later.plan, trialing.later.at, trialing.interval, trialing.cancel_at_period_end], ['pro', trialing.trial_ends_at, 'month', false]);
  const told = await trialOf(ada);
  assert.deepEqual([told.status, told.trial_ends_at, told.days_remaining], ['trialing', trialing.trial_ends_at, 7]);
  assert.match(told.message, /the card on file is charged/);
  assert.equal((await trialOf(ada, 'agent')).status, 'trialing', 'her own goes on');
  assertProblem(await get(platform, '/user/trial-status?product=tickets', as(ada)), 400);
  const [mail] = await waitForMails(platform, ada.email, 'plan_trial_started');
  assert.match(mail.text, /Nothing is charged before/);
  assert.deepEqual(await mailsTo(platform, ada.email, 'plan_started'), []);

  await t.test('a change in the trial costs nothing, gives nothing, and is what follows', async () => {
    for (const plan of ['enterprise', 'pro']) {
      const { status, data, text } = await change(ada, { plan });
      assert.equal(status, 200, text);
      assert.deepEqual([data.plan, data.status, data.later.plan, data.trial_ends_at], ['trial', 'trialing', plan, trialing.trial_ends_at]);
    }
    assert.ok(stripe.requests.every(({ path }) => !path.startsWith('/v1/subscription_schedules')), 'a schedule would end the trial');
    const ending = await change(ada, { cancel_at_period_end: true });
    assert.deepEqual([ending.data.plan, ending.data.status, ending.data.access_ends_at, ending.data.later], ['trial', 'trialing', trialing.trial_ends_at, null]);
    assert.match((await trialOf(ada)).message, /nothing will be charged/);
    assert.equal((await change(ada, { cancel_at_period_end: false })).data.cancel_at_period_end, false);
    assert.equal(await chargedTo(id), 0);
  });
  await t.test('while the first invoice is only a draft it stays the trial, and the plan comes with the payment', async () => {
    const invoice = await stripe.endTrial(id, { draft: true });
    await stripe.deliverAll(platform);
    await becomes(ada, 'the trial is over at Stripe', ({ trial_ends_at }) => trial_ends_at !== trialing.trial_ends_at);
    const between = await held(ada);
    assert.deepEqual([between.plan, between.status], ['trial', 'trialing']);
    await stripe.recover(id, invoice);
    await stripe.deliverAll(platform);
    const active = await becomes(ada, 'pro is paid', ({ plan, status }) => plan === 'pro' && status === 'active');
    assert.deepEqual([active.trial_ends_at, active.later], [null, null]);
    assert.equal((await trialOf(ada)).status, 'active');
    await waitForMails(platform, ada.email, 'plan_started');
    assert.ok((await chargedTo(id)) > 0);
  });
});

test('a card buys no more than the trial, whatever plan is chosen', async (t) => {
  // As somebody whose tenant never had what their token is for.
  const bob = await register(platform);
  await platform.restart({
    whileStopped: () => {
      withDatabase(platform.stateDir, (database) => {
        database.prepare('DELETE FROM subscriptions WHERE user_id = ?').run(bob.user.id);
        database.exec('DELETE FROM trial_claims');
      });
      withMeters(platform.stateDir, (database, owner) => owner.user === bob.user.id && database.exec('DELETE FROM ledger; DELETE FROM checkpoint; DELETE FROM exports; DELETE FROM answers;'));
    },
  });
  const id = await tries(bob, { product: 'agent', plan: 'teams', seats: 50 });
  await stripe.deliverAll(platform);
  await becomes(bob, 'the trial runs', ({ status }) => status === 'trialing', 'agent');
  const limits = async () => {
    const { requests, tokens } = await quota(platform, bob.access_token);
    return [requests.limit, tokens.limit];
  };
  await eventually('the meter knows', async () => (await chat(platform, bob.access_token)).status === 200);
  assert.deepEqual(await limits(), [120, 50_000]);
  assert.equal((await get(platform, '/team', as(bob))).data.seats.total, 1);
  assertProblem(await post(platform, '/team/invites', { email: freshEmail(), role: 'member' }, as(bob)), 403, 'plan_lacks_feature');
  assert.equal((await change(bob, { product: 'agent', seats: 60 })).status, 200);
  assert.deepEqual([await limits(), (await get(platform, '/team', as(bob))).data.seats.total], [[120, 50_000], 1]);

  await t.test('a first payment that fails leaves the trial, and one that is made up for brings the plan', async () => {
    await stripe.decline((await stripe.subscription(id)).customer);
    const invoice = await stripe.endTrial(id);
    assert.equal((await stripe.subscription(id)).status, 'past_due');
    await stripe.deliverAll(platform);
    const late = await becomes(bob, 'the payment is missing', ({ status }) => status === 'past_due', 'agent');
    assert.equal(late.plan, 'trial');
    assert.equal((await trialOf(bob, 'agent')).status, 'past_due');
    assert.deepEqual(await limits(), [120, 50_000]);
    await stripe.overlay(id, { status: 'active' });
    await stripe.recover(id, invoice);
    await stripe.deliverAll(platform);
    await becomes(bob, 'teams', ({ plan, status, seats }) => plan === 'teams' && status === 'active' && seats === 60, 'agent');
    await eventually('the pool was told', async () => (await limits())[0] === 5_000);
  });
});

test('the second trial of a card is ended, nothing is charged, and the plan can be bought', async (t) => {
  const [eve, mallory] = [await register(platform), await register(platform)];
  const card = freshCard();
  const first = await tries(eve, { card });
  await stripe.deliverAll(platform);
  await becomes(eve, 'the first runs', ({ status }) => status === 'trialing');
  const second = await tries(mallory, { card });
  const events = stripe.events.filter((event) => !event.delivered);
  await stripe.deliverAll(platform);
  await isRefused(mallory, second);
  const [mail] = await waitForMails(platform, mallory.email, 'plan_trial_refused');
  assert.match(mail.text, /Nothing was charged/);

  await t.test('told again, late and turned round, nothing more happens', async () => {
    events.push(await stripe.changed(second, 'deleted'), await stripe.changed(first));
    for (const event of [...events, ...events].reverse()) assert.equal((await stripe.deliver(platform, event)).status, 200);
    for (const id of [first, second]) assert.equal((await stripe.deliver(platform, await stripe.changed(id))).status, 200);
    await eventually('all are processed', async () => (await get(platform, '/admin/stripe-events?status=pending', { headers: { authorization: 'Bearer op_0123456789abcdef0123456789' } })).data.data.length === 0, 20_000);
    await sleep(1_500);
    for (const kind of ['plan_trial_started', 'plan_started', 'plan_ended']) assert.deepEqual(await mailsTo(platform, mallory.email, kind), [], kind);
    assert.equal((await mailsTo(platform, mallory.email, 'plan_trial_refused')).length, 1);
    assert.equal((await held(eve)).status, 'trialing', 'the first is not touched');
    assert.equal((await stripe.subscription(first)).metadata.tollgate_trial, 'card');
  });
  await t.test('without a trial it is bought, with the same card, and stays', async () => {
    const { data } = await checkout(mallory, {});
    assert.equal(data.trial_days, null);
    const id = await stripe.pay(data.checkout_url, { card });
    await stripe.deliverAll(platform);
    await becomes(mallory, 'pro', ({ plan, status }) => plan === 'pro' && status === 'active');
    assert.ok((await chargedTo(id)) > 0);
    assert.equal((await stripe.subscription(id)).status, 'active');
  });
  await t.test('what was refused has used nothing up, and what was paid has', async () => {
    // Mallory's second card was never in a trial; the first one, which paid, was.
    const zoe = await register(platform);
    await isRefused(zoe, await triesAndDelivers(zoe, card));
    const paying = freshCard();
    const buyer = await register(platform, { product: 'chat' });
    const bought = await checkout(buyer, {});
    assert.equal(bought.data.trial_days, null, 'they had a trial of their own');
    await stripe.pay(bought.data.checkout_url, { card: paying });
    await stripe.deliverAll(platform);
    await becomes(buyer, 'pro', ({ status, plan }) => plan === 'pro' && status === 'active');
    const yves = await register(platform);
    await isRefused(yves, await triesAndDelivers(yves, paying));
  });
  await t.test('the audit log has it', async () => {
    const entries = (await auditEntries(platform, mallory.user.tenant_id)).filter(({ action }) => action === 'billing.change');
    const details = entries.map(({ body }) => body.details ?? body.detail ?? {});
    assert.equal(details.filter(({ trial }) => /-> refused$/.test(trial)).length, 1, JSON.stringify(details));
    assert.ok(details.some(({ status }) => status === 'trialing -> cancelled'), JSON.stringify(details));
    assert.equal((await get(platform, '/audit/verify', as(mallory))).data.ok, true);
  });
});

async function triesAndDelivers(who, card) {
  const id = await tries(who, { card });
  await stripe.deliverAll(platform);
  return id;
}

test('ten accounts with one card at once get one trial', async () => {
  const people = await Promise.all(Array.from({ length: 10 }, () => register(platform)));
  const card = freshCard();
  const ids = await Promise.all(people.map((who) => tries(who, { card })));
  const events = stripe.events.filter((event) => !event.delivered);
  for (const event of events) Object.defineProperty(event, 'delivered', { value: true });
  const shuffled = [...events, ...events].map((event) => [Math.random(), event]).sort(([a], [b]) => a - b);
  const answers = await Promise.all(shuffled.map(([, event]) => stripe.deliver(platform, event)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const all = () => Promise.all(ids.map((id) => stripe.subscription(id)));
  await eventually('nine are ended', async () => (await all()).filter(({ status }) => status === 'canceled').length === 9, 60_000);
  await sleep(2_000);
  const at = await all();
  const lucky = at.findIndex(({ status }) => status === 'trialing');
  assert.deepEqual(at.map(({ status }) => status).sort(), [...Array(9).fill('canceled'), 'trialing']);
  for (const [index, who] of people.entries()) {
    if (index === lucky) await becomes(who, 'the one trial runs', ({ status }) => status === 'trialing');
    else {
      await becomes(who, 'it is over', ({ status }) => status !== 'trialing');
      await waitForMails(platform, who.email, 'plan_trial_refused');
    }
    assert.equal(await chargedTo(ids[index]), 0);
  }
});

test('one person with two accounts and two cards gets one trial', async () => {
  const name = `ada${randomUUID().slice(0, 8)}`;
  const accounts = [await register(platform, { email: `${name}@gmail.com` }), await register(platform, { email: `${name}+2@googlemail.com` })];
  // Both checkouts are open before either is paid.
  const opened = await Promise.all(accounts.map((who) => checkout(who, {})));
  assert.deepEqual(opened.map(({ data }) => data.trial_days), [7, 7]);
  const first = await stripe.pay(opened[0].data.checkout_url, { card: freshCard() });
  await stripe.deliverAll(platform);
  await becomes(accounts[0], 'the first runs', ({ status }) => status === 'trialing');
  const unused = freshCard();
  const second = await stripe.pay(opened[1].data.checkout_url, { card: unused });
  await stripe.deliverAll(platform);
  await isRefused(accounts[1], second);
  assert.equal((await stripe.subscription(first)).status, 'trialing');
  // Whoever is refused for the person has not used the card up.
  const owner = await register(platform);
  await tries(owner, { card: unused });
  await stripe.deliverAll(platform);
  await becomes(owner, 'the card has a trial', ({ status }) => status === 'trialing');
  // A third account is told at once.
  const third = await register(platform, { email: `${name}+3@gmail.com` });
  assert.equal((await checkout(third, {})).data.trial_days, null);
  assert.equal((await checkout(third, { product: 'gmail', plan: 'basic' })).data.trial_days, 14, 'another product');
});

test('Stripe fails while a trial is ended: it is ended later, and never becomes the plan', async () => {
  const [one, two] = [await register(platform), await register(platform)];
  const card = freshCard();
  await triesAndDelivers(one, card);
  await becomes(one, 'the first runs', ({ status }) => status === 'trialing');
  // Every try for each of the three events; the queue brings them again.
  stripe.fail(/^DELETE \/v1\/subscriptions\//, ...Array(12).fill(500));
  const id = await triesAndDelivers(two, card);
  await eventually('it is marked', async () => (await stripe.subscription(id)).metadata.tollgate_trial === 'refused', 20_000);
  assert.equal((await held(two)).plan, 'trial');
  await isRefused(two, id);
  await waitForMails(platform, two.email, 'plan_trial_refused');
  assert.deepEqual(await mailsTo(platform, two.email, 'plan_trial_started'), []);
});

test('a trial that an operator gives at Stripe has the limits of its plan, and is nobody to end', async () => {
  const guest = await register(platform);
  await checkout(guest, {});
  const customer = (await stripe.sdk.customers.list({ email: guest.email })).data[0].id;
  const id = await stripe.begin(customer, 'tollgate_chat_pro_v1_base_month', { card: freshCard() });
  await stripe.overlay(id, { status: 'trialing', trial_end: Math.floor(Date.now() / 1000) + 86_400 });
  await stripe.deliverAll(platform);
  const given = await becomes(guest, 'the plan is held', ({ plan }) => plan === 'pro');
  assert.deepEqual([given.status, given.trial_ends_at], ['active', null]);
});

test('a company has one trial: addresses of a domain that its team has proven begin without', async (t) => {
  const domain = `d${randomUUID().slice(0, 8)}.example`;
  const at = (more) => register(platform, { email: `${randomUUID().slice(0, 8)}@${domain}`, ...more });
  const early = await at();
  assert.equal((await trialOf(early, 'agent')).status, 'trialing', 'nobody has proven it yet');
  const boss = await register(platform);
  const bought = await checkout(boss, { product: 'agent', plan: 'teams', seats: 3 });
  await stripe.pay(bought.data.checkout_url, { card: freshCard() });
  await stripe.deliverAll(platform);
  await becomes(boss, 'teams', ({ plan }) => plan === 'teams', 'agent');
  const claimed = await post(platform, '/team/sso/domains', { domain: domain.toUpperCase() }, as(boss));
  assert.equal(claimed.status, 201, claimed.text);
  assert.equal((await trialOf(await at(), 'agent')).status, 'trialing', 'a claim alone is nothing');
  records.set(claimed.data.record.name, [claimed.data.record.value]);
  for (let n = 0; n < 2; n++) {
    const proven = await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(boss));
    assert.equal(proven.status, 200, proven.text);
  }

  await t.test('of what the team has: the account stands, and says why', async () => {
    const late = await at();
    const told = await trialOf(late, 'agent');
    assert.deepEqual([told.status, told.days_remaining], ['expired', 0]);
    assert.match(told.message, /company/);
    assertProblem(await chat(platform, late.access_token), 402, 'trial_expired');
    assert.equal((await trialOf(early, 'agent')).status, 'trialing', 'what had begun goes on');
    assert.equal((await checkout(late, { product: 'agent' })).data.trial_days, null);
    const sub = await register(platform, { email: `ada@mail.${domain}` });
    assert.equal((await trialOf(sub, 'agent')).status, 'trialing', 'a domain below it is another');
  });
  await t.test('of nothing else, until the team has that, too', async () => {
    const other = await at({ product: 'gmail' });
    assert.equal((await trialOf(other, 'gmail')).status, 'trialing');
    assert.equal((await checkout(other, { product: 'agent' })).data.trial_days, null, 'nor at a checkout');
    await tries(boss, { product: 'gmail', plan: 'pro', days: 14 });
    await stripe.deliverAll(platform);
    await becomes(boss, 'the team tries gmail', ({ status }) => status === 'trialing', 'gmail');
    await eventually('it is remembered', async () => (await trialOf(await at({ product: 'gmail' }), 'gmail')).status === 'expired');
  });
  await t.test('also after the domain was given up', async () => {
    assert.equal((await del(platform, `/team/sso/domains/${domain}`, as(boss))).status, 204);
    const late = await at();
    assert.equal((await trialOf(late, 'agent')).status, 'expired');
  });
  await t.test('what is remembered names nobody', async () => {
    let rows;
    await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => (rows = database.prepare('SELECT * FROM trial_claims').all())) });
    assert.ok(rows.length > 20, `${rows.length} claims`);
    // A digest has any four digits in it sooner or later, and so has an instant.
    const text = JSON.stringify(rows.map(({ digest, ...row }) => Object.values(row).filter((value) => typeof value === 'string')));
    for (const secret of [domain, 'example', 'sub_', 'ten_', 'usr_', '4242', boss.user.tenant_id]) assert.ok(!text.includes(secret), secret);
    for (const { digest } of rows) assert.match(digest, /^[0-9a-f]{64}$/);
  });
});

test('on another shard than the first it is the same', async () => {
  const sharded = await withPlatform({ env: { ...stripe.env, DOH_BASE_URL: `http://127.0.0.1:${resolver.address().port}/dns-query`, D1_SHARDS: '2', NEW_TENANT_SHARDS: '1' } });
  const domain = `d${randomUUID().slice(0, 8)}.example`;
  const boss = await register(sharded);
  const buy = async (body, options) => {
    const { data, text } = await post(sharded, '/subscription/checkout', body, as(boss));
    assert.ok(data.checkout_url, text);
    const id = await stripe.pay(data.checkout_url, options);
    await stripe.deliverAll(sharded);
    return { id, days: data.trial_days };
  };
  const now = async (product) => (await get(sharded, `/subscription?product=${product}`, as(boss))).data;
  await buy({ product: 'agent', plan: 'teams' });
  await eventually('teams', async () => (await now('agent')).plan === 'teams', 20_000);
  const claimed = await post(sharded, '/team/sso/domains', { domain }, as(boss));
  records.set(claimed.data.record.name, [claimed.data.record.value]);
  assert.equal((await post(sharded, `/team/sso/domains/${domain}/verify`, undefined, as(boss))).status, 200);
  const late = await register(sharded, { email: `late@${domain}` });
  const { data: told } = await get(sharded, '/user/trial-status', as(late));
  assert.equal(told.status, 'expired');
  assert.match(told.message, /company/);
  const other = await register(sharded, { email: `late@${domain}x`.replace('examplex', 'test') });
  assert.equal((await get(sharded, '/user/trial-status', as(other))).data.status, 'trialing');
  const card = freshCard();
  assert.equal((await buy({ product: 'chat', plan: 'pro' }, { card })).days, 7);
  await eventually('chat is tried', async () => (await now('chat')).status === 'trialing', 20_000);
  const second = await register(sharded);
  const { data } = await post(sharded, '/subscription/checkout', { product: 'chat', plan: 'pro' }, as(second));
  assert.equal(data.trial_days, 7);
  const id = await stripe.pay(data.checkout_url, { card });
  await stripe.deliverAll(sharded);
  await eventually('it is ended', async () => (await stripe.subscription(id)).status === 'canceled', 30_000);
  sharded.assertNoPanic();
});

test('nothing panicked', () => platform.assertNoPanic());
