// A customer's whole life, from the trial to the end, against a Stripe that keeps state; then what must not go wrong on the way.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { auditEntries } from '../harness/audit-rows.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, chat, freshEmail, get, patch, post, register } from '../harness/http.mjs';
import { waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { pushCatalogue } from '../../tools/catalogue-push.mjs';
import { cataloguePrices, startStripe } from '../harness/stripe-front.mjs';
import { PATIENCE_MS, subscriptionsOf } from '../harness/subscriptions.mjs';
import { eventually, quota } from '../harness/usage.mjs';

const stripe = await startStripe();
const OPERATOR = 'op_0123456789abcdef0123456789';
const platform = await withPlatform({ env: { ...stripe.env, OPERATOR_TOKEN: OPERATOR } });
before(() => stripe.pushCatalogue(platform));

const { held, becomes, nothingWaits } = subscriptionsOf(platform, OPERATOR, stripe);
const checkout = (who, body, path = '/subscription/checkout') => post(platform, path, body, { token: who.access_token });
const change = (who, body) => patch(platform, '/subscription', body, { token: who.access_token });
const cron = (name) => post(platform, '/__dev/cron', { cron: name });
const customersOf = async (who) => (await stripe.sdk.customers.list({ email: who.email })).data;

test('a life: trial, quota, checkout, active, more seats, upgrade, a failed payment, grace, downgrade, cancelled, over', async () => {
  const ada = await register(platform, { name: 'Ada' });
  // The trial runs, until its 120 requests are used up.
  assert.deepEqual([(await held(ada)).plan, (await held(ada)).status], ['trial', 'trialing']);
  for (let n = 0; n < 120; n += 20) await Promise.all(Array.from({ length: 20 }, () => chat(platform, ada.access_token)));
  const used = await eventually('the quota is used up', async () => {
    const answer = await chat(platform, ada.access_token);
    return answer.status === 429 && answer;
  });
  assert.match(assertProblem(used, 429, 'quota_exceeded').upgrade_url, /\/subscription\/plans$/);

  // She chooses a plan, pays, and goes on.
  const chosen = await checkout(ada, { plan: 'pro' }, '/user/upgrade-subscription');
  assert.equal(chosen.status, 200, chosen.text);
  assert.equal(chosen.data.subscription.status, 'trialing', 'nothing is held before it is paid');
  const id = await stripe.pay(chosen.data.checkout_url);
  await stripe.deliverAll(platform);
  const active = await becomes(ada, 'pro is active', ({ plan, status }) => plan === 'pro' && status === 'active');
  assert.equal(active.interval, 'month');
  assert.ok(new Date(active.current_period_end) > new Date());
  assert.equal((await chat(platform, ada.access_token)).status, 200, 'the meter was told');
  assert.equal((await quota(platform, ada.access_token)).requests.limit, 1_000);
  await waitForMails(platform, ada.email, 'plan_started');
  const [receipt] = await waitForMails(platform, ada.email, 'receipt');
  assert.match(receipt.subject, /10\.00 USD/);
  assert.match(receipt.text, /plan pro of agent, from \d{4}-\d\d-\d\d.* to /);
  assert.equal((await get(platform, '/user/trial-status', { token: ada.access_token })).data.status, 'active');

  // A team: the upgrade takes effect at once, and so do more seats.
  const team = await checkout(ada, { plan: 'teams', seats: 2 });
  assert.deepEqual([team.status, team.data.checkout_url], [200, null], team.text);
  assert.deepEqual([team.data.subscription.plan, team.data.subscription.seats], ['teams', 2]);
  assert.equal((await get(platform, '/team', { token: ada.access_token })).data.seats.total, 2);
  const more = await change(ada, { seats: 4 });
  assert.equal(more.data.seats, 4, more.text);
  assert.deepEqual((await stripe.subscription(id)).items.data.map(({ price, quantity }) => [price.lookup_key, quantity]), [['tollgate_agent_teams_v1_base_month', 1], ['tollgate_agent_teams_v1_seat_month', 4]]);
  assert.equal((await post(platform, '/team/invites', { email: freshEmail(), role: 'member' }, { token: ada.access_token })).status, 201, 'there is a seat');
  assert.equal((await chat(platform, ada.access_token)).status, 200, 'from the pool');

  // A payment fails: a week of grace, and nothing can be changed before it is paid.
  const invoice = await stripe.failPayment(id);
  await stripe.deliverAll(platform);
  const late = await becomes(ada, 'the payment is missing', ({ status }) => status === 'past_due');
  const days = (new Date(late.access_ends_at) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days <= 7, `${days} days of grace`);
  assert.equal((await chat(platform, ada.access_token)).status, 200, 'nothing is taken away');
  assert.equal((await get(platform, '/user/trial-status', { token: ada.access_token })).data.status, 'past_due');
  assertProblem(await change(ada, { seats: 5 }), 402, 'payment_required');
  assert.match((await waitForMails(platform, ada.email, 'payment_failed'))[0].text, new RegExp(late.access_ends_at.replaceAll('.', '\\.')));
  // Another card pays it.
  await stripe.recover(id, invoice);
  await stripe.deliverAll(platform);
  await becomes(ada, 'it is paid', ({ status }) => status === 'active');
  // One receipt for each payment: the plan, the team, two more seats, what was late.
  const receipts = await waitForMails(platform, ada.email, 'receipt', 4);
  assert.deepEqual([receipts.length, new Set(receipts.map(({ text }) => text)).size], [4, 4]);

  // Down again: the period that was paid ends first.
  const down = await change(ada, { plan: 'pro' });
  assert.equal(down.status, 200, down.text);
  assert.deepEqual([down.data.plan, down.data.later.plan, down.data.later.at], ['teams', 'pro', down.data.current_period_end]);
  await stripe.endPeriod(id);
  await stripe.deliverAll(platform);
  const lower = await becomes(ada, 'pro is back', ({ plan }) => plan === 'pro');
  assert.deepEqual([lower.seats, lower.later], [1, null]);

  // She cancels in the portal, thinks again, and cancels.
  const portal = await post(platform, '/subscription/portal', {}, { token: ada.access_token });
  assert.match(portal.data.portal_url, /^https:\/\//);
  await stripe.cancelInPortal(id);
  await stripe.deliverAll(platform);
  const ending = await becomes(ada, 'it ends with the period', ({ cancel_at_period_end }) => cancel_at_period_end);
  assert.deepEqual([ending.status, ending.access_ends_at], ['active', ending.current_period_end]);
  await waitForMails(platform, ada.email, 'plan_cancelling');
  assert.equal((await change(ada, { cancel_at_period_end: false })).data.cancel_at_period_end, false);
  assert.equal((await change(ada, { cancel_at_period_end: true })).data.cancel_at_period_end, true);
  assert.equal((await chat(platform, ada.access_token)).status, 200, 'until then nothing changes');
  await stripe.endPeriod(id);
  await stripe.deliverAll(platform);
  await becomes(ada, 'it is over', ({ status }) => status === 'cancelled');
  const refused = await eventually('the meter was told', async () => {
    const answer = await chat(platform, ada.access_token);
    return answer.status === 402 && answer;
  });
  const problem = assertProblem(refused, 402, 'payment_required');
  assert.match(problem.upgrade_url, /\/subscription\/plans$/);
  assert.match(problem.detail, /The plan pro ended at/);
  assert.equal((await get(platform, '/user/trial-status', { token: ada.access_token })).data.status, 'ended');
  await waitForMails(platform, ada.email, 'plan_ended');

  // Nothing was deleted; she can come back.
  assert.ok((await get(platform, '/subscription/invoices', { token: ada.access_token })).data.data.length >= 3);
  const again = await checkout(ada, { plan: 'plus', interval: 'year' });
  await stripe.pay(again.data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(ada, 'plus by the year', ({ plan, interval, status }) => plan === 'plus' && interval === 'year' && status === 'active');
  assert.equal((await customersOf(ada)).length, 1, 'one customer, all her life');

  // All of it is in the audit log, whose chain is whole.
  await nothingWaits();
  const entries = await auditEntries(platform, ada.user.tenant_id);
  const of = (action) => entries.filter((entry) => entry.action === action).map(({ body }) => body.details ?? body.detail ?? {});
  const statuses = of('billing.change').map(({ status }) => status).filter(Boolean);
  for (const step of ['none -> active', 'active -> past_due', 'past_due -> active', 'active -> cancelling', 'cancelling -> cancelled', 'cancelled -> active']) assert.ok(statuses.includes(step), `${step} of ${statuses}`);
  assert.ok(of('billing.checkout').length >= 3 && of('billing.portal').length === 1);
  assert.equal((await get(platform, '/audit/verify', { token: ada.access_token })).data.ok, true);
});

test('the grace of a missing payment ends by the clock, without a webhook', async () => {
  const bob = await register(platform);
  const id = await stripe.pay((await checkout(bob, { plan: 'pro' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(bob, 'pro', ({ plan }) => plan === 'pro');
  const since = Math.floor(Date.now() / 1000) - 7 * 86_400 + 3;
  await stripe.overlay(id, { status: 'past_due', latest_invoice: { id: 'in_late', object: 'invoice', created: since } });
  await stripe.deliverAll(platform);
  await becomes(bob, 'three seconds are left', ({ status }) => status === 'past_due');
  await becomes(bob, 'the grace is over', ({ status }) => status === 'unpaid');
  assert.equal((await cron('sweep_billing')).data.ok, true);
  assertProblem(await chat(platform, bob.access_token), 402, 'payment_required');
  await stripe.overlay(id, { status: 'active' });
  await stripe.deliverAll(platform);
  await becomes(bob, 'paid after all', ({ status }) => status === 'active');
  await eventually('the meter was told', async () => (await chat(platform, bob.access_token)).status === 200);
});

test('ten checkouts at once are one customer and one session', async () => {
  const eve = await register(platform);
  const answers = await Promise.all(Array.from({ length: 10 }, () => checkout(eve, { plan: 'plus' })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], answers.map(({ text }) => text).join('\n'));
  assert.equal(new Set(answers.map(({ data }) => data.checkout_url)).size, 1);
  assert.equal((await customersOf(eve)).length, 1);
});

test('another choice closes the session before, so that only one can be paid', async () => {
  const eve = await register(platform);
  const urls = [];
  for (const body of [{ plan: 'pro' }, { plan: 'teams', seats: 3 }, { plan: 'pro', interval: 'year' }]) urls.push((await checkout(eve, body)).data.checkout_url);
  assert.equal(new Set(urls).size, 3);
  const open = [];
  for (const url of urls) {
    const session = await stripe.sdk.checkout.sessions.retrieve(url.split('/').at(-1));
    if (session.status === 'open') open.push(session.url);
  }
  assert.deepEqual(open, [urls[2]]);
  // What was paid and no webhook has told yet is not bought again.
  await stripe.pay(urls[2]);
  assertProblem(await checkout(eve, { plan: 'pro', interval: 'year' }), 422, 'not_an_upgrade');
  assert.equal((await held(eve)).status, 'active', 'the checkout has looked at Stripe');
  await stripe.deliverAll(platform);
});

test('what is no move up is 422, and a declined card changes nothing', async () => {
  const joe = await register(platform);
  assertProblem(await checkout(joe, { plan: 'enterprise' }), 422, 'not_an_upgrade');
  assertProblem(await change(joe, { seats: 3 }), 422, 'not_an_upgrade');
  await stripe.pay((await checkout(joe, { plan: 'plus' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(joe, 'plus', ({ plan }) => plan === 'plus');
  for (const body of [{ plan: 'plus' }, { plan: 'pro' }]) assertProblem(await checkout(joe, body), 422, 'not_an_upgrade');
  const [customer] = await customersOf(joe);
  await stripe.decline(customer.id);
  const declined = assertProblem(await checkout(joe, { plan: 'teams', seats: 5 }), 402, 'payment_required');
  assert.match(declined.detail, /declined/);
  assert.deepEqual([(await held(joe)).plan, (await held(joe)).seats], ['plus', 1]);
  // Stripe remembers the refusal under its key; the same wish with another card is another request.
  await stripe.accept(customer.id);
  const accepted = await checkout(joe, { plan: 'teams', seats: 5 });
  assert.deepEqual([accepted.status, accepted.data.subscription?.plan, accepted.data.subscription?.seats], [200, 'teams', 5], accepted.text);
  await stripe.deliverAll(platform);
  assertProblem(await post(platform, '/subscription/portal', { return_url: 'https://evil.example/' }, { token: joe.access_token }), 422, 'invalid_input');
});

test('only the owner of a team buys, changes and sees invoices', async () => {
  const owner = await register(platform, { name: 'Owner' });
  await stripe.pay((await checkout(owner, { plan: 'teams', seats: 2 })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(owner, 'the team is paid', ({ plan }) => plan === 'teams');
  const member = await register(platform);
  await post(platform, '/team/invites', { email: member.email, role: 'admin' }, { token: owner.access_token });
  const [{ links }] = await waitForMails(platform, member.email, 'invitation');
  const joined = await post(platform, '/team/invites/accept', { token: new URL(links[0]).searchParams.get('token') }, { token: member.access_token });
  assert.equal(joined.status, 200, joined.text);
  const token = joined.data.access_token;
  assert.deepEqual([(await get(platform, '/subscription', { token })).data.plan, (await chat(platform, token)).status], ['teams', 200], 'what the team has');
  assertProblem(await post(platform, '/subscription/checkout', { plan: 'teams', interval: 'year' }, { token }), 403, 'forbidden');
  assertProblem(await patch(platform, '/subscription', { seats: 9 }, { token }), 403, 'forbidden');
  assertProblem(await post(platform, '/subscription/portal', {}, { token }), 403, 'forbidden');
  assertProblem(await get(platform, '/subscription/invoices', { token }), 403, 'forbidden');
  // When the team's plan ends, it ends for everybody in it.
  const [customer] = await customersOf(owner);
  const [subscription] = (await stripe.sdk.subscriptions.list({ customer: customer.id })).data;
  await stripe.cancelNow(subscription.id);
  await stripe.deliverAll(platform);
  for (const each of [token, owner.access_token]) await eventually('402 for everybody', async () => (await chat(platform, each)).data?.code === 'payment_required');
});

test('what was arranged, given up and arranged again is arranged', async () => {
  const lea = await register(platform);
  const id = await stripe.pay((await checkout(lea, { plan: 'plus' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(lea, 'plus', ({ plan }) => plan === 'plus');
  for (const given of ['at Stripe', 'at Stripe before anybody told', 'here']) {
    const down = await change(lea, { plan: 'pro' });
    assert.deepEqual([down.status, down.data.plan, down.data.later?.plan], [200, 'plus', 'pro'], `${given}: ${down.text}`);
    const { schedule } = await stripe.subscription(id);
    assert.match(schedule, /^sub_sched_/);
    if (given === 'here') {
      assert.equal((await change(lea, { cancel_at_period_end: true })).data.later, null);
      assert.equal((await change(lea, { cancel_at_period_end: false })).data.cancel_at_period_end, false);
      continue;
    }
    await stripe.releaseSchedule(id);
    if (given === 'at Stripe') {
      await stripe.deliverAll(platform);
      await becomes(lea, 'nothing is to come', ({ later }) => later === null);
    }
  }
  assert.equal((await change(lea, { plan: 'pro' })).data.later.plan, 'pro');
  await stripe.endPeriod(id);
  await stripe.deliverAll(platform);
  await becomes(lea, 'pro', ({ plan }) => plan === 'pro');
});

test('an upgrade whose answer is lost is looked for before anybody is told that it failed', async () => {
  const max = await register(platform);
  const id = await stripe.pay((await checkout(max, { plan: 'teams', seats: 2 })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(max, 'teams', ({ plan }) => plan === 'teams');
  stripe.fail(/POST \/v1\/subscriptions\//, 0, 0, 0, 0);
  const more = await change(max, { seats: 5 });
  assert.deepEqual([more.status, more.data.seats], [200, 5], more.text);
  // Nothing was done, and nothing is said of what was charged.
  stripe.fail(/POST \/v1\/subscriptions\//, 503, 503, 503, 503);
  const refused = assertProblem(await change(max, { seats: 6 }), 503, 'dependency_unavailable');
  assert.match(refused.detail, /GET \/subscription/);
  assert.doesNotMatch(refused.detail, /nothing was charged/);
  assert.equal((await held(max)).seats, 5);
  assert.equal((await stripe.subscription(id)).items.data.find(({ price }) => price.lookup_key.includes('seat')).quantity, 5);
  await stripe.deliverAll(platform);
});

test('what ends with its period keeps its end until somebody takes it back', async () => {
  const pia = await register(platform);
  await stripe.pay((await checkout(pia, { plan: 'teams', seats: 3 })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(pia, 'teams', ({ plan }) => plan === 'teams');
  assert.equal((await change(pia, { cancel_at_period_end: true })).data.cancel_at_period_end, true);
  for (const down of [{ seats: 2 }, { plan: 'pro' }]) assert.match(assertProblem(await change(pia, down), 409, 'conflict').detail, /cancel_at_period_end: false/);
  const more = await change(pia, { seats: 4 });
  assert.deepEqual([more.data.seats, more.data.cancel_at_period_end], [4, true], 'more seats, and it still ends');
  const same = await change(pia, { seats: 4 });
  assert.deepEqual([same.status, same.data.cancel_at_period_end], [200, true], 'what is held is no change');
  assert.equal((await change(pia, { cancel_at_period_end: false })).data.cancel_at_period_end, false);
  // Asking for what is held gives up what was arranged.
  assert.equal((await change(pia, { plan: 'pro' })).data.later.plan, 'pro');
  const stays = await change(pia, { plan: 'teams' });
  assert.deepEqual([stays.status, stays.data.plan, stays.data.later], [200, 'teams', null], stays.text);
  assert.match(assertProblem(await checkout(pia, { plan: 'teams', seats: 4 }), 422, 'not_an_upgrade').detail, /already/);
  await stripe.deliverAll(platform);
});

test('who pays by the year and moves up goes on paying by the year', async () => {
  const zoe = await register(platform);
  await stripe.pay((await checkout(zoe, { plan: 'pro', interval: 'year' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(zoe, 'pro by the year', ({ plan }) => plan === 'pro');
  const up = await checkout(zoe, { plan: 'plus' });
  assert.deepEqual([up.status, up.data.subscription?.plan, up.data.subscription?.interval], [200, 'plus', 'year'], up.text);
  await stripe.deliverAll(platform);
});

test('of two subscriptions the other one counts as soon as one is over', async () => {
  const ray = await register(platform);
  const pro = await stripe.pay((await checkout(ray, { plan: 'pro' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(ray, 'pro', ({ plan }) => plan === 'pro');
  const { customer, created } = await stripe.subscription(pro);
  // The later made counts, and Stripe says when in whole seconds: within one the ids would decide.
  await eventually('the next second', () => Date.now() >= (created + 1) * 1000);
  const plus = await stripe.begin(customer, 'tollgate_agent_plus_v1_base_month');
  await stripe.changed(plus, 'created');
  await stripe.deliverAll(platform);
  await becomes(ray, 'plus was begun at Stripe', ({ plan }) => plan === 'plus');
  await stripe.cancelNow(plus);
  await stripe.deliverAll(platform);
  await becomes(ray, 'pro is still paid', ({ plan, status }) => plan === 'pro' && status === 'active');
  assert.equal((await chat(platform, ray.access_token)).status, 200);
});

test('one receipt for each invoice, however often it is told, and none for what cost nothing', async () => {
  const uma = await register(platform);
  const id = await stripe.pay((await checkout(uma, { plan: 'pro' })).data.checkout_url);
  const told = stripe.events.findLast(({ type }) => type === 'invoice.paid').data.object;
  for (const type of ['invoice.paid', 'invoice.payment_succeeded']) stripe.emit(type, told);
  // A credit covers all of it.
  const { customer } = await stripe.subscription(id);
  await stripe.sdk.invoiceItems.create({ customer, amount: -1000, currency: 'usd' });
  const free = await stripe.sdk.invoices.create({ customer, subscription: id });
  await stripe.sdk.invoices.pay(free.id);
  assert.equal((await stripe.sdk.invoices.retrieve(free.id)).total, 0);
  stripe.emit('invoice.paid', { object: 'invoice', id: free.id, customer, subscription: id });
  // Nobody is written to about somebody else's invoice.
  const other = await register(platform);
  await stripe.pay((await checkout(other, { plan: 'plus' })).data.checkout_url);
  const foreign = stripe.events.findLast(({ type }) => type === 'invoice.paid').data.object;
  stripe.emit('invoice.paid', { ...foreign, customer, parent: { type: 'subscription_details', subscription_details: { subscription: id } } });
  await stripe.deliverAll(platform);
  await nothingWaits();
  await waitForMails(platform, other.email, 'receipt');
  const mails = await waitForMails(platform, uma.email, 'receipt');
  assert.equal(mails.length, 1, JSON.stringify(mails));
  assert.match(mails[0].text, /10\.00 USD was paid for the plan pro of agent/);
  assert.equal(mails[0].links.length, 1);
});

test('a key makes an upgrade once, and another wish under it is refused', async () => {
  const kay = await register(platform);
  const buy = (body, key) => post(platform, '/subscription/checkout', body, { token: kay.access_token, headers: { 'idempotency-key': key } });
  const [first, second] = [await buy({ plan: 'pro' }, 'k1'), await buy({ plan: 'pro' }, 'k1')];
  assert.deepEqual([first.status, second.status, second.text], [200, 200, first.text]);
  assert.equal(second.headers.get('idempotent-replayed'), 'true');
  assertProblem(await buy({ plan: 'plus' }, 'k1'), 422, 'idempotency_key_reused');
  const id = await stripe.pay(first.data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(kay, 'pro', ({ plan }) => plan === 'pro');
  const before = stripe.requests.length;
  const answers = [await buy({ plan: 'teams', seats: 2 }, 'k2'), await buy({ plan: 'teams', seats: 2 }, 'k2')];
  assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
  assert.equal(stripe.requests.slice(before).filter(({ method, path }) => method === 'POST' && path === `/v1/subscriptions/${id}`).length, 1);
  await stripe.deliverAll(platform);
});

test('a plan without payment is taken at once, and what is paid falls back on it', async () => {
  const ann = await register(platform, { product: 'chat' });
  const free = await checkout(ann, { plan: 'free' });
  assert.deepEqual([free.data.checkout_url, free.data.subscription.plan, free.data.subscription.status], [null, 'free', 'active'], free.text);
  const id = await stripe.pay((await checkout(ann, { plan: 'pro' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await eventually('pro', async () => (await held(ann, 'chat')).plan === 'pro');
  const down = await change(ann, { plan: 'free' });
  assert.equal(down.data.cancel_at_period_end, true, down.text);
  await stripe.endPeriod(id);
  await stripe.deliverAll(platform);
  await eventually('free again', async () => (await held(ann, 'chat')).plan === 'free');
});

test('what drifted from Stripe is mended by the daily comparison, and the audit log says so', async () => {
  const kim = await register(platform);
  const id = await stripe.pay((await checkout(kim, { plan: 'pro' })).data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(kim, 'pro', ({ plan }) => plan === 'pro');
  // A late event of the purchase would find the cancellation by itself.
  await nothingWaits();
  // Every webhook of the cancellation is lost.
  await stripe.cancelNow(id);
  for (const event of stripe.events) Object.defineProperty(event, 'delivered', { value: true });
  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.exec('UPDATE billing_states SET checked_at = 0')) });
  const { data } = await cron('reconcile_billing');
  assert.ok(data.ok && data.done >= 1, JSON.stringify(data));
  assert.equal((await held(kim)).status, 'cancelled');
  assertProblem(await chat(platform, kim.access_token), 402, 'payment_required');
  const entries = await auditEntries(platform, kim.user.tenant_id);
  const mended = entries.findLast(({ action }) => action === 'billing.change');
  assert.match(JSON.stringify(mended.body), /"cron".*active -> cancelled|active -> cancelled.*"cron"/);
  assert.deepEqual([(await cron('reconcile_billing')).data.done, (await cron('reconcile_billing')).data.more], [0, false], 'once a day');
});

test('Stripe that falters is asked again with the same key; Stripe that is down is 503 and named', async () => {
  const sam = await register(platform);
  stripe.fail(/POST \/v1\/customers/, 500, 429);
  stripe.fail(/POST \/v1\/checkout\/sessions/, 0, 409);
  const before = stripe.requests.length;
  const { data, status, text } = await checkout(sam, { plan: 'pro' });
  assert.equal(status, 200, text);
  const sent = stripe.requests.slice(before).filter(({ method }) => method === 'POST');
  for (const path of ['/v1/customers', '/v1/checkout/sessions']) {
    const keys = sent.filter((request) => request.path === path).map(({ key }) => key);
    assert.deepEqual([keys.length, new Set(keys).size], [3, 1], `${path}: three tries of one request`);
  }
  assert.ok(sent.every(({ version }) => version === '2026-10-28.endive'));
  assert.equal((await stripe.sdk.checkout.sessions.retrieve(data.checkout_url.split('/').at(-1))).status, 'open');
  assert.equal((await customersOf(sam)).length, 1, 'the answer was lost, the customer is one');
  const pam = await register(platform);
  stripe.fail(/POST \/v1\/customers/, 500, 500, 500, 500);
  const problem = assertProblem(await checkout(pam, { plan: 'pro' }), 503, 'dependency_unavailable');
  assert.equal(problem.dependency, 'stripe');
});

test('without a key the catalogue can be read and nothing can be bought', async (t) => {
  const plain = await withPlatform({ test: t });
  const { access_token: token } = await register(plain);
  const { data } = await get(plain, '/subscription/plans?product=agent');
  const teams = data.data[0].plans.find(({ plan }) => plan === 'teams');
  assert.deepEqual([teams.price.monthly_cents, teams.price.seat_monthly_cents, teams.limits.requests, teams.pooled], [4900, 1200, { hard: 5000 }, true]);
  assertProblem(await get(plain, '/subscription/plans?product=tickets'), 400);
  assert.equal((await get(plain, '/subscription', { token })).data.status, 'trialing');
  for (const [path, body] of [['/subscription/checkout', { plan: 'pro' }], ['/subscription/portal', {}]]) assertProblem(await post(plain, path, body, { token }), 503, 'billing_not_configured');
  assertProblem(await post(plain, '/webhooks/stripe', { id: 'evt_1' }), 503, 'billing_not_configured');
  assertProblem(await get(plain, '/admin/stripe-events'), 404);
});

test('the catalogue is pushed once: what is there stays, and a price that was sold is never changed', async () => {
  const prices = await cataloguePrices(platform);
  const options = { key: stripe.env.STRIPE_SECRET_KEY, base: stripe.url };
  const { made, kept } = await pushCatalogue(prices, options);
  assert.deepEqual([made, kept.length], [[], prices.length]);
  await assert.rejects(pushCatalogue([{ ...prices[0], unit_amount: 1 }], options), /the catalogue at 1 usd/);
});

test('who deletes the account is billed no more', async () => {
  const bob = await register(platform);
  const { data } = await checkout(bob, { plan: 'pro' });
  await stripe.pay(data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(bob, 'pro is active', ({ plan }) => plan === 'pro');
  assert.equal((await customersOf(bob)).length, 1);
  const deleted = await call(platform, 'DELETE', '/user', { token: bob.access_token, body: { password: bob.password } });
  assert.equal(deleted.status, 202, deleted.text);
  // The function that takes the wish knows no Stripe; the job does.
  await eventually('the customer is gone at Stripe', async () => {
    assert.equal((await cron('delete_users')).status, 200);
    return (await customersOf(bob)).length === 0;
  }, PATIENCE_MS);
});

test('nothing panicked', () => platform.assertNoPanic());
