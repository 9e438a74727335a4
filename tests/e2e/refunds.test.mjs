// What was paid and taken back takes back what it paid for: refunds, disputes, and what did not go through.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { auditEntries } from '../harness/audit-rows.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, post, register } from '../harness/http.mjs';
import { waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { PATIENCE_MS, subscriptionsOf } from '../harness/subscriptions.mjs';
import { eventually } from '../harness/usage.mjs';

const stripe = await startStripe();
const OPERATOR = 'op_0123456789abcdef0123456789';
const platform = await withPlatform({ env: { ...stripe.env, OPERATOR_TOKEN: OPERATOR } });
before(() => stripe.pushCatalogue(platform));

const { held, becomes, told, eventsOf } = subscriptionsOf(platform, OPERATOR, stripe);
const checkout = (who, body) => post(platform, '/subscription/checkout', body, { token: who.access_token });
const refused = (who) => eventually('the meter was told', async () => {
  const answer = await chat(platform, who.access_token);
  return answer.status === 402 && assertProblem(answer, 402, 'payment_required');
}, PATIENCE_MS);
const answered = (who) => eventually('the meter was told', async () => (await chat(platform, who.access_token)).status === 200, PATIENCE_MS);

/** Somebody who pays for a plan: the subscription, and the payment of its first invoice. */
async function subscriber(plan = 'pro') {
  const who = await register(platform);
  const { data } = await checkout(who, { plan });
  const id = await stripe.pay(data.checkout_url);
  await stripe.deliverAll(platform);
  await becomes(who, `${plan} is active`, (it) => it.plan === plan && it.status === 'active');
  const { latest_invoice: invoice } = await stripe.subscription(id);
  return { who, id, invoice, charge: await stripe.chargeOf(invoice) };
}

test('a full refund ends the plan, Stripe does not renew it, and it can be bought anew', async () => {
  const { who, id, charge } = await subscriber();
  await stripe.refund(charge);
  await told();
  await becomes(who, 'over', ({ status }) => status === 'cancelled');
  await refused(who);
  await waitForMails(platform, who.email, 'plan_ended');
  assert.equal((await stripe.subscription(id)).cancel_at_period_end, true, 'it is not charged again');
  await platform.waitForLog(new RegExp(`${who.user.tenant_id}: the payment ${charge} of invoice .*refunded: 0\\.00 USD -> 10\\.00 USD of 10\\.00 USD`));

  const again = await checkout(who, { plan: 'plus' });
  assert.match(again.data.checkout_url ?? '', /^https/, again.text);
  await stripe.pay(again.data.checkout_url);
  await told();
  await becomes(who, 'plus is active', ({ plan, status }) => plan === 'plus' && status === 'active');
  await answered(who);
});

test('a part, an upgrade, another period: the plan goes on, and it is written down', async () => {
  const part = await subscriber();
  await stripe.refund(part.charge, { amount: 400 });
  // An upgrade is charged for what is left of the period: all of it given back is a part of the period's price.
  const more = await subscriber();
  assert.equal((await checkout(more.who, { plan: 'plus' })).data.subscription.plan, 'plus');
  const upgrade = (await stripe.subscription(more.id)).latest_invoice;
  assert.notEqual(upgrade, more.invoice);
  await stripe.refund(await stripe.chargeOf(upgrade));
  // The next period was paid by another payment.
  const later = await subscriber();
  await stripe.overlay(later.id, { periods: 1 });
  await told();
  await stripe.refund(later.charge);
  stripe.dispute(later.charge);
  await told();
  const goesOn = (one) => !one.stopped && one.status === 'active';
  for (const { who } of [part, more, later]) {
    assert.ok(goesOn(await held(who)), JSON.stringify(await held(who)));
    assert.equal((await chat(platform, who.access_token)).status, 200);
  }
  // The rest of it: now all is given back.
  await stripe.refund(part.charge, { amount: 600 });
  await told();
  await refused(part.who);
  const entries = await auditEntries(platform, part.who.user.tenant_id);
  const written = entries.filter(({ action }) => action === 'billing.change').map(({ body }) => JSON.stringify(body));
  assert.equal(written.filter((body) => body.includes('0.00 USD -> 4.00 USD of 10.00 USD')).length, 1, written.join('\n'));
  assert.equal(written.filter((body) => body.includes('4.00 USD -> 10.00 USD of 10.00 USD')).length, 1, written.join('\n'));
});

test('a refund that fails was none: the plan is back, and renewed', async () => {
  const { who, id, charge } = await subscriber();
  // The event names the payment's intent alone.
  const refund = await stripe.refund(charge, { byIntent: true });
  await told();
  await refused(who);
  stripe.failRefund(refund);
  await told();
  await becomes(who, 'active again', ({ status }) => status === 'active');
  await answered(who);
  assert.equal((await stripe.subscription(id)).cancel_at_period_end, false);
});

test('a dispute suspends until it is won; one that is lost ends the plan; an inquiry takes nothing away', async () => {
  const [winner, loser, asked] = [await subscriber(), await subscriber(), await subscriber()];
  const [won, lost] = [stripe.dispute(winner.charge), stripe.dispute(loser.charge)];
  const inquiry = stripe.dispute(asked.charge, { status: 'warning_needs_response' });
  await told();
  for (const { who } of [winner, loser]) {
    await becomes(who, 'it rests', ({ status }) => status === 'paused');
    await refused(who);
    const problem = assertProblem(await checkout(who, { plan: 'plus' }), 402, 'payment_required');
    assert.match(problem.detail, /disputed/);
    await platform.waitForLog(new RegExp(`"error".*${who.user.tenant_id}.*dispute du_\\w+: none -> needs_response|${who.user.tenant_id}.*dispute du_\\w+: none -> needs_response`));
  }
  assert.equal((await held(asked.who)).status, 'active');
  assert.equal((await chat(platform, asked.who.access_token)).status, 200);

  stripe.decide(won, 'under_review');
  await told();
  await refused(winner.who);
  stripe.decide(won, 'won');
  stripe.decide(lost, 'lost');
  stripe.decide(inquiry, 'warning_closed');
  await told();
  await becomes(winner.who, 'active again', ({ status }) => status === 'active');
  await answered(winner.who);
  await becomes(loser.who, 'over', ({ status }) => status === 'cancelled');
  await refused(loser.who);
  assert.equal((await stripe.subscription(loser.id)).cancel_at_period_end, true);
  assert.equal((await held(asked.who)).status, 'active');
});

test('events that come twice and backwards end where the payment stands, and each change is written down once', async () => {
  const { who, charge } = await subscriber();
  const from = stripe.events.length;
  const refund = await stripe.refund(charge);
  stripe.failRefund(refund);
  const dispute = stripe.dispute(charge);
  stripe.decide(dispute, 'lost');
  const late = stripe.events.slice(from).reverse();
  for (const event of [...late, ...late]) assert.equal((await stripe.deliver(platform, event)).status, 200, event.type);
  late.forEach((event) => Object.defineProperty(event, 'delivered', { value: true }));
  await told();
  await becomes(who, 'over', ({ status }) => status === 'cancelled');
  await refused(who);
  const entries = await auditEntries(platform, who.user.tenant_id);
  const written = entries.filter(({ body }) => JSON.stringify(body).includes(dispute.id));
  assert.equal(written.length, 1, JSON.stringify(written));
});

test('in the shape of before, and where the period stands on the second page of an invoice', async () => {
  for (const shape of ['old', 'new']) {
    stripe.shape(shape);
    const { who, invoice, charge } = await subscriber();
    stripe.lengthen(invoice);
    await stripe.refund(charge);
    await told();
    await becomes(who, `over (${shape})`, ({ status }) => status === 'cancelled');
  }
});

test('a refund of which no event was heard is found by the daily comparison, and one of nobody is ignored', async () => {
  const { who, charge } = await subscriber();
  await told();
  await stripe.refund(charge);
  stripe.events.forEach((event) => Object.defineProperty(event, 'delivered', { value: true }));
  stripe.emit('charge.dispute.created', { id: 'du_foreign', object: 'dispute', charge: 'ch_foreign', status: 'needs_response' });
  await told();
  assert.equal((await held(who)).status, 'active', 'nobody has told of it');
  const foreign = (await eventsOf('ignored')).find(({ payment }) => payment === 'ch_foreign');
  assert.match(foreign?.note ?? '', /no such payment/);

  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.exec('UPDATE billing_states SET checked_at = 0')) });
  const { data } = await post(platform, '/__dev/cron', { cron: 'reconcile_billing' });
  assert.ok(data.ok && data.done >= 1, JSON.stringify(data));
  await becomes(who, 'over', ({ status }) => status === 'cancelled');
  await refused(who);
});

test('nothing has panicked', () => platform.assertNoPanic());
