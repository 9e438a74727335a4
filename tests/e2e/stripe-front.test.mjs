// The front of the test server, asked by Stripe's official SDK: what the platform's tests stand on.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { API_VERSION, startStripe } from '../harness/stripe-front.mjs';

const stripe = await startStripe();
const { sdk } = stripe;
let customer;
const prices = {};
before(async () => {
  customer = await sdk.customers.create({ email: 'ada@example.com', metadata: { tollgate_tenant: 'ten_1' } });
  for (const [name, unit_amount] of [['pro', 1000], ['teams', 4900], ['seat', 1200]]) {
    const product = await sdk.products.create({ name });
    prices[name] = await sdk.prices.create({ product: product.id, currency: 'usd', unit_amount, recurring: { interval: 'month' }, lookup_key: `key_${name}`, metadata: { tollgate_price: `key_${name}` } });
  }
});
const checkout = (options) => sdk.checkout.sessions.create({ mode: 'subscription', customer: customer.id, success_url: 'https://x.test/', line_items: [{ price: prices.teams.id, quantity: 1 }, { price: prices.seat.id, quantity: 3 }], subscription_data: { metadata: { a: 'b' } } }, options);

test('prices are found by their lookup keys, and a key is taken once', async () => {
  const { data } = await sdk.prices.list({ lookup_keys: ['key_pro', 'key_seat'], active: true });
  assert.deepEqual(data.map(({ lookup_key, unit_amount }) => [lookup_key, unit_amount]), [['key_pro', 1000], ['key_seat', 1200]]);
  await assert.rejects(sdk.prices.create({ product: prices.pro.product, currency: 'usd', unit_amount: 1, recurring: { interval: 'month' }, lookup_key: 'key_pro' }), { code: 'resource_already_exists' });
});

test('a checkout is opened, paid, and is a subscription of two items then', async () => {
  const session = await checkout();
  assert.equal(session.status, 'open');
  const id = await stripe.pay(session.url);
  assert.equal((await sdk.checkout.sessions.retrieve(session.id)).subscription, id);
  const held = await sdk.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.equal(held.status, 'active');
  assert.deepEqual(held.items.data.map(({ price, quantity }) => [price.lookup_key, quantity]), [['key_teams', 1], ['key_seat', 3]]);
  assert.ok(held.items.data[0].current_period_end > held.items.data[0].current_period_start);
  assert.deepEqual([held.latest_invoice.status, held.latest_invoice.total], ['paid', 4900 + 3 * 1200]);
  assert.equal(held.metadata.a, 'b');
  const updated = await sdk.subscriptions.update(id, { items: [{ id: held.items.data[0].id, price: prices.pro.id }, { id: held.items.data[1].id, deleted: true }], proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' });
  assert.deepEqual(updated.items.data.map(({ price }) => price.lookup_key), ['key_pro']);
  await stripe.decline(customer.id);
  await assert.rejects(sdk.subscriptions.update(id, { items: [{ id: updated.items.data[0].id, price: prices.teams.id }], proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' }), { type: 'StripeCardError' });
  assert.equal((await sdk.subscriptions.retrieve(id)).items.data[0].price.lookup_key, 'key_pro', 'nothing has changed');
  await stripe.accept(customer.id);
  const invoice = await stripe.failPayment(id);
  assert.equal((await sdk.subscriptions.retrieve(id)).status, 'past_due');
  await stripe.recover(id, invoice);
  assert.equal((await sdk.subscriptions.retrieve(id)).status, 'active');
  const schedule = await sdk.subscriptionSchedules.create({ from_subscription: id });
  assert.equal((await sdk.subscriptions.retrieve(id)).schedule, schedule.id);
  await assert.rejects(sdk.subscriptions.update(id, { cancel_at_period_end: true }), /managed by the subscription schedule/);
  await sdk.subscriptionSchedules.release(schedule.id);
  await sdk.subscriptions.update(id, { cancel_at_period_end: true });
  await stripe.endPeriod(id);
  assert.equal((await sdk.subscriptions.retrieve(id)).status, 'canceled');
  const { data } = await sdk.subscriptions.list({ customer: customer.id, status: 'all' });
  assert.deepEqual(data.map((one) => one.id), [id]);
});

test('a checkout with a trial takes a card and no money, and is paid after it', async () => {
  const tried = await sdk.customers.create({ email: 'grace@example.com' });
  const session = await sdk.checkout.sessions.create({ mode: 'subscription', customer: tried.id, success_url: 'https://x.test/', payment_method_collection: 'always', line_items: [{ price: prices.teams.id, quantity: 1 }, { price: prices.seat.id, quantity: 3 }], subscription_data: { trial_period_days: 7, metadata: { tollgate_trial: 'card' } } });
  await assert.rejects(sdk.checkout.sessions.create({ mode: 'subscription', customer: tried.id, success_url: 'https://x.test/', line_items: [{ price: prices.pro.id, quantity: 1 }], subscription_data: { trial_period_days: 0 } }), /minimum number/);
  const id = await stripe.pay(session.url, { card: '5555555555554444' });
  const held = await sdk.subscriptions.retrieve(id, { expand: ['default_payment_method', 'customer.invoice_settings.default_payment_method', 'latest_invoice'] });
  assert.deepEqual([held.status, held.metadata.tollgate_trial, held.latest_invoice], ['trialing', 'card', null]);
  assert.equal(held.trial_end - held.trial_start, 7 * 86_400);
  assert.equal(held.items.data[0].current_period_end, held.trial_end);
  const { fingerprint } = held.default_payment_method.card;
  assert.match(fingerprint, /^[0-9a-f]{16}$/);
  assert.equal(held.customer.invoice_settings.default_payment_method.card.fingerprint, fingerprint);
  assert.equal(await stripe.charged(tried.id), 0);
  // The same number is the same card, whoever gives it.
  const other = await sdk.customers.create({ email: 'eve@example.com' });
  const begun = await stripe.begin(other.id, 'key_pro', { card: '5555555555554444' });
  const shown = await sdk.subscriptions.retrieve(begun, { expand: ['customer.invoice_settings.default_payment_method'] });
  assert.equal(shown.customer.invoice_settings.default_payment_method.card.fingerprint, fingerprint);
  // Another price in the trial costs nothing.
  await sdk.subscriptions.update(id, { items: [{ id: held.items.data[0].id, quantity: 2 }], proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' });
  assert.equal(await stripe.charged(tried.id), 0);
  await stripe.endTrial(id);
  const paid = await sdk.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.deepEqual([paid.status, paid.latest_invoice.status, await stripe.charged(tried.id)], ['active', 'paid', 2 * 4900 + 3 * 1200]);
  assert.equal(paid.items.data[0].current_period_start, paid.trial_end);
  // One that is cancelled in its trial stays cancelled, and uncharged.
  const third = await sdk.customers.create({ email: 'bob@example.com' });
  const again = await sdk.checkout.sessions.create({ mode: 'subscription', customer: third.id, success_url: 'https://x.test/', line_items: [{ price: prices.pro.id, quantity: 1 }], subscription_data: { trial_period_days: 7 } });
  const gone = await stripe.pay(again.url);
  await sdk.subscriptions.update(gone, { metadata: { tollgate_trial: 'refused' } });
  await sdk.subscriptions.cancel(gone);
  const cancelled = await sdk.subscriptions.retrieve(gone);
  assert.deepEqual([cancelled.status, cancelled.metadata.tollgate_trial, await stripe.charged(third.id)], ['canceled', 'refused', 0]);
});

test('the same idempotency key is the same answer, and a conflict while it runs', async () => {
  const options = { idempotencyKey: 'key-1' };
  const [one, two] = await Promise.all([checkout(options), checkout(options)]);
  assert.equal(one.id, two.id, 'the SDK tries the conflict again');
  await assert.rejects(sdk.checkout.sessions.create({ mode: 'subscription', customer: customer.id, success_url: 'https://y.test/', line_items: [{ price: prices.pro.id }] }, options), { type: 'StripeIdempotencyError' });
});

test('a meter adds up events, each identifier once, within their time', async () => {
  const form = { display_name: 'Tokens', event_name: 'key_tokens', default_aggregation: { formula: 'sum' }, customer_mapping: { type: 'by_id', event_payload_key: 'stripe_customer_id' }, value_settings: { event_payload_key: 'value' } };
  const meter = await sdk.billing.meters.create(form);
  await assert.rejects(sdk.billing.meters.create(form), { code: 'resource_already_exists' });
  assert.deepEqual((await sdk.billing.meters.list()).data.map(({ id, event_name, status }) => [id, event_name, status]), [[meter.id, 'key_tokens', 'active']]);
  const event = { event_name: 'key_tokens', identifier: 'one', payload: { stripe_customer_id: customer.id, value: '25' } };
  const made = await sdk.billing.meterEvents.create(event);
  assert.deepEqual([made.identifier, made.payload.value], ['one', '25']);
  await assert.rejects(sdk.billing.meterEvents.create(event), { statusCode: 400, message: 'An event already exists with identifier one.' });
  const now = Math.floor(Date.now() / 1000);
  const refused = [{ event_name: 'key_nothing' }, { timestamp: now - 36 * 86_400 }, { timestamp: now + 400 }, { payload: { value: '1' } }, { payload: { stripe_customer_id: customer.id, value: '-1' } }, { identifier: 'x'.repeat(101) }];
  for (const change of refused) await assert.rejects(sdk.billing.meterEvents.create({ ...event, identifier: 'two', ...change }), { type: 'StripeInvalidRequestError' }, JSON.stringify(change));
  stripe.ahead(86_400);
  await sdk.billing.meterEvents.create({ ...event, identifier: 'three', timestamp: now + 86_400 });
  stripe.ahead(0);
  assert.deepEqual(stripe.meterEvents(customer.id).map(({ identifier, value }) => [identifier, value]), [['one', 25], ['three', 25]]);
  await sdk.billing.meters.deactivate(meter.id);
  await assert.rejects(sdk.billing.meterEvents.create({ ...event, identifier: 'four' }), /No active meter/);
  await sdk.billing.meters.reactivate(meter.id);
});

test('a metered price has a meter and no quantity, anywhere', async () => {
  const [meter] = (await sdk.billing.meters.list()).data;
  const form = { product: prices.pro.product, currency: 'usd', unit_amount_decimal: '0.0006', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id }, lookup_key: 'key_more' };
  await assert.rejects(sdk.prices.create({ ...form, recurring: { interval: 'month', usage_type: 'metered' } }), { statusCode: 400 });
  const more = await sdk.prices.create(form);
  assert.deepEqual([more.unit_amount, String(more.unit_amount_decimal), more.recurring.meter], [null, '0.0006', meter.id]);
  const sessions = (line) => sdk.checkout.sessions.create({ mode: 'subscription', customer: customer.id, success_url: 'https://x.test/', line_items: [{ price: prices.pro.id, quantity: 1 }, line] });
  await assert.rejects(sessions({ price: more.id, quantity: 1 }), /usage_type is `metered`/);
  await stripe.accept(customer.id);
  const id = await stripe.pay((await sessions({ price: more.id })).url);
  const held = await sdk.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.deepEqual(held.items.data.map(({ price, quantity }) => [price.lookup_key, quantity]), [['key_pro', 1], ['key_more', undefined]]);
  assert.equal(held.latest_invoice.total, 1000, 'nothing in advance');
  const [pro, item] = held.items.data;
  await assert.rejects(sdk.subscriptions.update(id, { items: [{ id: item.id, quantity: 2 }] }), /usage_type is `metered`/);
  await assert.rejects(sdk.subscriptions.update(id, { items: [{ id: item.id, price: prices.pro.id, quantity: 1 }] }), /used twice/);
  const updated = await sdk.subscriptions.update(id, { items: [{ id: pro.id, price: prices.teams.id, quantity: 1 }, { id: item.id, deleted: true }], proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' });
  assert.deepEqual(updated.items.data.map(({ price }) => price.lookup_key), ['key_teams']);
});

test('events are signed as the SDK wants them', () => {
  const event = stripe.emit('customer.subscription.updated', { id: 'sub_1' });
  const body = JSON.stringify(event);
  const signature = stripe.sign(body)['stripe-signature'];
  assert.equal(sdk.webhooks.constructEvent(body, signature, stripe.secret).id, event.id);
  assert.throws(() => sdk.webhooks.constructEvent(`${body} `, signature, stripe.secret));
});

test('the SDK speaks the version that the platform asks for', () => {
  assert.equal(stripe.requests.find(({ path }) => path === '/v1/prices').version, API_VERSION);
});

test('invoices are listed by subscription and status, page by page, and what the list does not know is refused', async () => {
  const bills = await sdk.customers.create({ email: 'bills@example.com' });
  const id = await stripe.begin(bills.id, 'key_pro');
  const failed = await stripe.failPayment(id);
  const draft = await stripe.nextInvoice(id);
  const ids = async (query) => (await sdk.invoices.list({ subscription: id, ...query })).data.map((invoice) => invoice.id);
  assert.deepEqual(await ids({ status: 'open' }), [failed]);
  assert.deepEqual(await ids({ status: 'draft' }), [draft]);
  assert.deepEqual(await ids({ status: 'uncollectible' }), []);
  const all = await ids({ limit: 100 });
  assert.equal(all.length, 3);
  const first = await sdk.invoices.list({ subscription: id, limit: 2 });
  assert.deepEqual([first.has_more, first.data.map((invoice) => invoice.id)], [true, all.slice(0, 2)]);
  const rest = await sdk.invoices.list({ subscription: id, limit: 2, starting_after: all[1] });
  assert.deepEqual([rest.has_more, rest.data.map((invoice) => invoice.id)], [false, all.slice(2)]);
  for (const query of [{ status: 'unpaid' }, { limit: 101 }, { overdue: true }]) await assert.rejects(sdk.invoices.list(query), { statusCode: 400 });
  await assert.rejects(sdk.invoices.list({ starting_after: 'in_nobodys' }), { statusCode: 404 });
  await stripe.voidInvoice(id, failed);
  assert.deepEqual(await ids({ status: 'open' }), []);
});
