// Stripe, for tests: the stateful `localstripe` as a real process, and in front of it what it lacks.
//
//   const stripe = await startStripe();
//   const platform = await withPlatform({ env: stripe.env });
//
// localstripe has customers, cards, charges, invoices, and subscriptions of one old-style plan. The front adds prices with
// lookup keys, several items, billing meters with their events and metered prices, Checkout Sessions, portal sessions, schedules and idempotency keys, shows subscriptions in the
// new shape (or the old), and passes the rest on. What somebody does at Stripe's own pages are its functions: `pay`,
// `failPayment`, `cancelInPortal`. Its events are signed by the official SDK.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { installPython } from '../../tools/lib/python.mjs';
import { pushCatalogue } from '../../tools/catalogue-push.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { payments } from './stripe-payments.mjs';

const VERSION = '1.15.0';
/** What localstripe 1.15.0 was tried with. */
const PINNED = ['aiohttp==3.14.5', 'python-dateutil==4.0.0'];
const KEY = 'sk_test_0123456789abcdefghij';
const SECRET = 'whsec_test_0123456789abcdef';
const GOOD_CARD = '4242424242424242';
const BAD_CARD = '4000000000000341'; // is attached, and declined when it is charged

export const API_VERSION = '2026-10-28.endive';

/** Starts both; they end with the test file. */
export async function startStripe() {
  const { backend, stopBackend } = await startBackend();
  const state = { prices: new Map(), sessions: new Map(), schedules: new Map(), overlays: new Map(), keys: new Map(), cards: new Map(), shape: 'new', requests: [], faults: [], portals: 0, meters: new Map(), meterEvents: new Map(), ahead: 0, deleted: new Set(), foreign: new Set() };
  const events = [];
  state.payments = payments({ state, backend, answers: { ok, missing, error, list } });
  const server = createServer((request, response) => {
    answer(state, backend, request).then(
      ({ status, body, headers = {} }) => {
        if (status === 0) return response.socket?.resetAndDestroy();
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
      },
      (error) => response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: String(error.stack) } })),
    );
  });
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const { port } = server.address();
  const sdk = new Stripe(KEY, { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 2 });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await stopBackend();
  };
  if (process.env.NODE_TEST_CONTEXT) after(stop);

  const emit = (type, object) => {
    const event = { id: `evt_${randomUUID().replaceAll('-', '')}`, object: 'event', api_version: API_VERSION, created: Math.floor(Date.now() / 1000), livemode: false, type, data: { object }, request: { id: null, idempotency_key: null }, pending_webhooks: 1 };
    events.push(event);
    return event;
  };
  const changed = async (id, kind = 'updated') => emit(`customer.subscription.${kind}`, await subscription(state, backend, id, {}));
  const local = (method, path, form) => must(backend(method, path, form));
  const paid = (state.paid = async (customer, subscription, invoice) =>
    emit('invoice.paid', { object: 'invoice', id: invoice, customer, parent: { type: 'subscription_details', subscription_details: { subscription } } }));
  const withCard = async (customer, number) => {
    state.cards.set(customer, number);
    const card = await local('POST', '/v1/payment_methods', { type: 'card', 'card[number]': number, 'card[exp_month]': '12', 'card[exp_year]': '2034', 'card[cvc]': '123' });
    await local('POST', `/v1/payment_methods/${card.id}/attach`, { customer });
    await local('POST', `/v1/customers/${customer}`, { 'invoice_settings[default_payment_method]': card.id });
    return card.id;
  };

  return {
    url,
    sdk,
    secret: SECRET,
    env: { STRIPE_SECRET_KEY: KEY, STRIPE_API_BASE: url, STRIPE_WEBHOOK_SECRET: SECRET },
    /** Every request that arrived: `{method, path, key, version, body}`. */
    requests: state.requests,
    /** Meter events that were taken: `{event_name, identifier, timestamp, customer, value}`, oldest first. */
    meterEvents: (customer) => [...state.meterEvents.values()].filter((event) => !customer || event.customer === customer),
    /** Stripe's clock runs ahead by so many seconds, for meter events and signatures: with the platform's CLOCK_OFFSET_SECONDS. */
    ahead: (seconds) => (state.ahead = seconds),
    /** An operator switches a meter off or on. */
    switchMeter: (eventName, status) => ([...state.meters.values()].find(({ event_name }) => event_name === eventName).status = status),
    /** An operator puts a price beside what a subscription has: a contract's. */
    addItem: (id, price) => overlay(state, id).items.push({ id: `si_${short()}`, price }),
    /** What happened and Stripe would tell, oldest first. */
    events,
    stop,
    /** Puts the catalogue of a platform into the account, as `npm run catalogue:push` does. */
    async pushCatalogue(platform) {
      return pushCatalogue(await cataloguePrices(platform), { key: KEY, base: url });
    },
    /** Subscriptions are shown as before 2025-03-31 (`old`) or since (`new`). */
    shape: (shape) => (state.shape = shape),
    /** The next requests whose path fits end so: a status, 0 for a connection that is cut, or a promise to wait for before the answer. */
    fail: (pattern, ...outcomes) => outcomes.forEach((outcome) => state.faults.push({ pattern, outcome })),
    /** The headers of a delivery of `body`. */
    sign(body, { secret = SECRET, timestamp = Math.floor(Date.now() / 1000) + state.ahead } = {}) {
      return { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': sdk.webhooks.generateTestHeaderString({ payload: body, secret, timestamp }) };
    },
    /** Delivers an event to a platform; answers its answer. */
    async deliver(platform, event, options) {
      const body = JSON.stringify(event);
      const answer = await fetch(`${platform.url}/webhooks/stripe`, { method: 'POST', headers: this.sign(body, options), body, signal: AbortSignal.timeout(30_000) });
      return { status: answer.status, data: await answer.json().catch(() => undefined) };
    },
    /** Delivers what was not delivered yet, in order. */
    async deliverAll(platform) {
      for (const event of events.filter((event) => !event.delivered)) {
        Object.defineProperty(event, 'delivered', { value: true }); // not part of the JSON
        const { status } = await this.deliver(platform, event);
        assert.equal(status, 200, event.type);
      }
    },
    /** Somebody pays at the checkout page, or gives their card for a trial; answers the subscription's id. */
    async pay(checkoutUrl, { card = GOOD_CARD } = {}) {
      const session = state.sessions.get(new URL(checkoutUrl).pathname.split('/').at(-1));
      assert.equal(session?.status, 'open', 'the checkout can be paid');
      session.status = 'complete';
      const method = await withCard(session.customer, card);
      const id = await begin(state, local, session.customer, session.lines, session.subscription_metadata, session.trial_days);
      // A checkout leaves its card on the subscription: https://docs.stripe.com/api/subscriptions/object#subscription_object-default_payment_method
      overlay(state, id).default_payment_method = method;
      Object.assign(session, { subscription: id, payment_status: session.trial_days ? 'no_payment_required' : 'paid', url: null });
      await changed(id, 'created');
      emit('checkout.session.completed', shownSession(session));
      const { latest_invoice: invoice } = await subscription(state, backend, id, {});
      if (invoice) await paid(session.customer, id, invoice);
      return id;
    },
    /** The session behind the address of a checkout. */
    session: (url) => state.sessions.get(new URL(url).pathname.split('/').at(-1)),
    /** A subscription as Stripe answers it now. */
    subscription: (id) => subscription(state, backend, id, {}),
    /** The renewal is charged to a card that is declined. */
    async failPayment(id) {
      const { customer } = await subscription(state, backend, id, {});
      await withCard(customer, BAD_CARD);
      await local('POST', '/v1/invoiceitems', { customer, amount: '1000', currency: 'usd' });
      const invoice = await local('POST', '/v1/invoices', { customer, subscription: id });
      await backend('POST', `/v1/invoices/${invoice.id}/pay`, {});
      emit('invoice.payment_failed', { object: 'invoice', id: invoice.id, customer, subscription: id });
      await changed(id);
      return invoice.id;
    },
    /** The next renewal comes: an invoice that is ready and that nobody was asked to pay, or (`open`) one that was not paid. */
    async nextInvoice(id, { open = false } = {}) {
      const { customer } = await subscription(state, backend, id, {});
      await local('POST', '/v1/invoiceitems', { customer, amount: '1000', currency: 'usd' });
      const invoice = await local('POST', '/v1/invoices', { customer, subscription: id });
      if (open) await withCard(customer, BAD_CARD);
      if (open) await backend('POST', `/v1/invoices/${invoice.id}/pay`, {});
      await changed(id);
      return invoice.id;
    },
    /** An operator forgives an invoice. */
    voidInvoice: async (id, invoice) => {
      await local('POST', `/v1/invoices/${invoice}/void`, {});
      return changed(id);
    },
    /** Another card pays what is open. */
    async recover(id, invoice) {
      const { customer } = await subscription(state, backend, id, {});
      await withCard(customer, GOOD_CARD);
      await local('POST', `/v1/invoices/${invoice}/pay`, {});
      emit('invoice.paid', { object: 'invoice', id: invoice, customer, subscription: id }); // in the old shape
      await changed(id);
    },
    /** Only the status is changed, by Stripe itself: `past_due` with an invoice of an instant, `paused`, … */
    async overlay(id, changes) {
      Object.assign(overlay(state, id), changes);
      return changed(id);
    },
    /** Somebody cancels in the customer portal, at the end of the period. */
    async cancelInPortal(id, cancel = true) {
      overlay(state, id).cancel_at_period_end = cancel;
      return changed(id);
    },
    /** Somebody at Stripe gives up what was arranged for the end of the period. */
    async releaseSchedule(id) {
      await schedules(state, backend, 'POST', overlay(state, id).schedule, 'release', {});
      return changed(id);
    },
    /** The paid period ends: what was arranged takes effect. */
    async endPeriod(id) {
      const over = overlay(state, id);
      if (over.cancel_at_period_end) {
        await local('DELETE', `/v1/subscriptions/${id}`);
        return changed(id, 'deleted');
      }
      const schedule = state.schedules.get(over.schedule);
      if (schedule?.phases[1]) {
        over.items = schedule.phases[1].items.map((item) => ({ ...item, id: `si_${short()}` }));
        over.periods = (over.periods ?? 0) + 1;
        schedule.status = 'released';
        over.schedule = null;
      }
      return changed(id);
    },
    /** The trial is over: the first payment is taken, or declined. `draft`: Stripe has the invoice ready, and takes nothing yet. */
    async endTrial(id, { draft = false } = {}) {
      const shown = await subscription(state, backend, id, {});
      assert.equal(shown.status, 'trialing');
      const cents = shown.items.data.reduce((sum, { price, plan, quantity }) => sum + (price ?? plan).unit_amount * quantity, 0);
      // localstripe bills the plan that it began with; the rest stands beside it.
      const raw = await local('GET', `/v1/subscriptions/${id}`);
      const rest = cents - raw.plan.amount * raw.quantity;
      if (rest) await local('POST', '/v1/invoiceitems', { customer: shown.customer, amount: String(rest), currency: 'usd' });
      const invoice = await local('POST', '/v1/invoices', { customer: shown.customer, subscription: id });
      const paid = draft ? invoice : (await backend('POST', `/v1/invoices/${invoice.id}/pay`, {})).body;
      const now = Math.floor(Date.now() / 1000);
      Object.assign(overlay(state, id), { status: draft || paid.status === 'paid' ? 'active' : 'past_due', trial_end: now, billing_cycle_anchor: now, latest_invoice: invoice.id, period: { current_period_start: now, current_period_end: now + 30 * 86_400 } });
      emit(paid.status === 'paid' ? 'invoice.paid' : 'invoice.created', { object: 'invoice', id: invoice.id, customer: shown.customer, parent: { type: 'subscription_details', subscription_details: { subscription: id } } });
      await changed(id);
      return invoice.id;
    },
    /** What was charged to a customer, in cents. */
    async charged(customer) {
      const { data } = await local('GET', '/v1/charges?limit=100000');
      return data.filter((charge) => charge.customer === customer && charge.status === 'succeeded').reduce((sum, { amount }) => sum + amount, 0);
    },
    /** Another subscription of the same customer, made outside of the platform. */
    async begin(customer, lookupKey, { card = GOOD_CARD } = {}) {
      const price = [...state.prices.values()].find(({ lookup_key }) => lookup_key === lookupKey);
      await withCard(customer, card);
      return begin(state, local, customer, [{ price: price.id, quantity: 1 }], {});
    },
    /** From now on this customer's charges are declined. */
    decline: (customer) => withCard(customer, BAD_CARD),
    accept: (customer) => withCard(customer, GOOD_CARD),
    /** An operator deletes a customer: its subscriptions are cancelled, and nothing more can be done for it. */
    async deleteCustomer(customer) {
      const { data } = await local('GET', '/v1/subscriptions?status=all&limit=100000');
      for (const { id } of data.filter((one) => one.customer === customer && one.status !== 'canceled')) {
        await local('DELETE', `/v1/subscriptions/${id}`);
        await changed(id, 'deleted');
      }
      state.deleted.add(customer);
    },
    /** The key is of the other mode, in which these customers are not; `[]`: the key is put right. */
    otherMode(customers) {
      state.foreign.clear();
      customers.forEach((customer) => state.foreign.add(customer));
    },
    /** An operator archives a price, and another one takes its key over: its id. Without a successor that of the old one, `of` which one may be made later. */
    async replacePrice(lookupKey, { successor = true, of } = {}) {
      const old = [...state.prices.values()].find((price) => (of ? price.id === of : price.lookup_key === lookupKey));
      Object.assign(old, { active: false, lookup_key: null });
      if (!successor) return old.id;
      const { unit_amount: amount, currency, product, metadata, recurring } = old;
      const price = { ...structuredClone(old), id: `price_${short()}`, active: true, lookup_key: lookupKey };
      const plan = { id: price.id, amount: String(amount), currency, interval: recurring.interval, product };
      for (const [name, value] of Object.entries(metadata)) plan[`metadata[${name}]`] = value;
      await local('POST', '/v1/plans', plan);
      state.prices.set(price.id, price);
      return price.id;
    },
    cancelNow: async (id) => {
      await local('DELETE', `/v1/subscriptions/${id}`);
      return changed(id, 'deleted');
    },
    changed,
    emit,
    ...state.payments.actions(emit),
  };
}

/** The prices that a platform's catalogue has, as tools/catalogue-push.mjs takes them. */
export async function cataloguePrices(platform) {
  const { data } = await (await fetch(`${platform.url}/subscription/plans`)).json();
  return data.flatMap(({ product, plans }) =>
    plans.filter(({ price }) => price).flatMap(({ plan, version, price, overage }) => [
      ...[['base', 'month', price.monthly_cents], ['base', 'year', price.annual_cents], ['seat', 'month', price.seat_monthly_cents], ['seat', 'year', price.seat_annual_cents]]
        .filter(([, , cents]) => cents !== null)
        .map(([part, interval, unit_amount]) => ({ lookup_key: `tollgate_${product}_${plan}_v${version}_${part}_${interval}`, product, plan, seat: part === 'seat', interval, unit_amount, currency: price.currency })),
      ...overage.flatMap(({ meter, per_units, cents, currency }) =>
        ['month', 'year'].map((interval) => ({ lookup_key: `tollgate_${product}_${plan}_v${version}_overage-${meter}_${interval}`, product, plan, interval, meter, event_name: `tollgate_${product}_${meter}`, unit_amount_decimal: decimal(cents, per_units), currency })),
      ),
    ]),
  );
}

/** Cents for a block, for each unit of it: a block is a power of ten. */
function decimal(cents, perUnits) {
  const zeros = String(perUnits).length - 1;
  const digits = String(cents).padStart(zeros + 1, '0');
  const text = `${digits.slice(0, digits.length - zeros)}.${digits.slice(digits.length - zeros)}`;
  return text.replace(/\.?0+$/, '');
}

const short = () => randomUUID().replaceAll('-', '').slice(0, 24);
const overlay = (state, id) => state.overlays.get(id) ?? state.overlays.set(id, {}).get(id);

async function must(answer) {
  const { status, body } = await answer;
  assert.ok(status < 300, `localstripe answers ${status}: ${JSON.stringify(body)}`);
  return body;
}

// -- localstripe

async function startBackend() {
  const programs = await installPython({ folder: 'localstripe', name: 'localstripe', version: VERSION, also: PINNED });
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-stripe-'));
  const child = spawn(join(programs, 'localstripe'), ['--port', String(port), '--from-scratch'], { cwd: folder, stdio: 'ignore', env: { ...process.env, TMPDIR: folder } });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const base = `http://127.0.0.1:${port}`;
  const backend = async (method, path, form) => {
    const response = await fetch(base + path, { method, headers: { authorization: `Bearer ${KEY}` }, body: form && method !== 'GET' ? new URLSearchParams(form) : undefined });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  };
  for (const deadline = Date.now() + 30_000; ; ) {
    try {
      await fetch(base);
      break;
    } catch (error) {
      if (Date.now() > deadline) throw new Error('localstripe does not answer', { cause: error });
      await sleep(50);
    }
  }
  const stopBackend = async () => {
    process.removeListener('exit', kill);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  return { backend, stopBackend };
}

// -- the front

async function answer(state, backend, request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  const address = new URL(request.url, 'http://front');
  const key = request.headers['idempotency-key'];
  const seen = { method: request.method, path: address.pathname, key, version: request.headers['stripe-version'], body: text };
  state.requests.push(seen);
  const fault = state.faults.findIndex(({ pattern }) => pattern.test(`${request.method} ${address.pathname}`));
  const failing = fault < 0 ? undefined : state.faults.splice(fault, 1)[0].outcome;
  // Cut after the work was done, as lost answers are.
  if (failing > 0) return error(failing, 'a fault of the test');
  if (!/^(Bearer|Basic) /.test(request.headers.authorization ?? '')) return error(401, 'no key');
  const work = () => route(state, backend, request.method, address, tree(new URLSearchParams(text)), text);
  const done = request.method === 'POST' && key ? await once_(state, key, `${address.pathname} ${text}`, work) : await work();
  await (failing instanceof Promise && failing);
  return failing === 0 ? { status: 0 } : done;
}

// https://docs.stripe.com/api/idempotent_requests: the same answer for the same key, a conflict while the first one runs.
async function once_(state, key, fingerprint, work) {
  const known = state.keys.get(key);
  if (known) {
    if (known.fingerprint !== fingerprint) return { status: 400, body: { error: { type: 'idempotency_error', message: 'Keys for idempotent requests can only be used with the same parameters.' } } };
    if (!known.answer) return error(409, 'There is currently another in-progress request using this key.', 'idempotency_key_in_use');
    return { ...known.answer, headers: { 'idempotent-replayed': 'true' } };
  }
  const entry = { fingerprint };
  state.keys.set(key, entry);
  const done = await work();
  if (done.status < 500) entry.answer = done;
  else state.keys.delete(key);
  return done;
}

const error = (status, message, code) => ({ status, body: { error: { type: 'invalid_request_error', message, code } } });
// https://docs.stripe.com/error-codes#resource-missing: 404 for the object that the path names, 400 for one that a parameter does.
const missing = (what, param = 'id') => ({ status: param === 'id' ? 404 : 400, body: { error: { type: 'invalid_request_error', message: `No such ${what}`, code: 'resource_missing', param } } });
const ok = (body) => ({ status: 200, body });
const list = (url, data) => ok({ object: 'list', url, has_more: false, data });

/** `a[0][b]=1` as `{a: [{b: '1'}]}`. */
function tree(form) {
  const root = {};
  for (const [name, value] of form) {
    const path = name.replaceAll(']', '').split('[');
    let at = root;
    path.forEach((part, index) => (at = index === path.length - 1 ? (at[part] = value) : (at[part] ??= {})));
  }
  const lists = (value) => {
    if (typeof value !== 'object') return value;
    const entries = Object.entries(value).map(([name, inner]) => [name, lists(inner)]);
    return entries.length && entries.every(([name]) => /^\d*$/.test(name)) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
  };
  return lists(root);
}

/** A customer that was deleted, or is of the other mode. https://docs.stripe.com/error-codes#resource-missing */
function unknown(state, customer, { alsoDeleted = true } = {}) {
  const other = state.foreign.has(customer);
  if (!other && !(alsoDeleted && state.deleted.has(customer))) return undefined;
  return missing(`customer: '${customer}'${other ? '; a similar object exists in test mode, but a live mode key was used to make this request.' : ''}`, 'customer');
}

async function route(state, backend, method, address, body, text) {
  const [, version, kind, id, sub] = address.pathname.split('/');
  const query = tree(address.searchParams);
  // What is left of a customer that was deleted: https://docs.stripe.com/api/customers/delete. Its subscriptions and invoices stay.
  if (kind === 'customers' && id && state.foreign.has(id)) return missing(`customer: '${id}'`);
  if (kind === 'customers' && id && state.deleted.has(id)) return method === 'GET' ? ok({ id, object: 'customer', deleted: true }) : missing(`customer: '${id}'`);
  const named = unknown(state, body.customer ?? query.customer, { alsoDeleted: method === 'POST' || kind === 'invoices' });
  if (named) return named;
  if (kind === 'subscriptions' && id && state.foreign.size) {
    const { status, body: raw } = await backend('GET', `/v1/subscriptions/${id}`);
    if (status === 200 && state.foreign.has(raw.customer)) return missing(`subscription: '${id}'`);
  }
  if (kind === 'checkout' && state.foreign.has(state.sessions.get(sub)?.customer)) return missing(`checkout.session: ${sub}`);
  const pass = () => passOn(backend, method, address, text);
  if (version !== 'v1') return missing('address');
  if (kind === 'prices') return prices(state, backend, method, id, query, body);
  if (kind === 'checkout') return sessions(state, backend, method, sub, address.pathname.split('/')[5], body);
  if (kind === 'billing_portal' && method === 'POST') {
    if ((await backend('GET', `/v1/customers/${body.customer}`)).status !== 200) return missing('customer');
    state.portals += 1;
    return ok({ id: `bps_${short()}`, object: 'billing_portal.session', customer: body.customer, return_url: body.return_url, url: `https://billing.stripe.test/p/session/${short()}` });
  }
  if (kind === 'billing' && id === 'meters') return meters(state, method, sub, address.pathname.split('/')[5], query, body);
  if (kind === 'billing' && id === 'meter_events' && method === 'POST') return meterEvent(state, body);
  if (kind === 'subscription_schedules') return schedules(state, backend, method, id, sub, body);
  const paid = await state.payments.route(method, kind, id, sub, query);
  if (paid) return paid;
  if (kind === 'invoices' && method === 'GET' && !id) return invoices(backend, query);
  if (kind === 'subscriptions') {
    const expand = [query.expand ?? []].flat();
    if (method === 'GET' && id) {
      const found = await subscription(state, backend, id, { expand: expand.filter((path) => !path.startsWith('customer')) });
      if (found && expand.some((path) => path.startsWith('customer'))) {
        const customer = await must(backend('GET', `/v1/customers/${found.customer}`));
        const method = customer.invoice_settings?.default_payment_method;
        if (method && expand.includes('customer.invoice_settings.default_payment_method')) customer.invoice_settings.default_payment_method = await paymentMethod(backend, method);
        found.customer = customer;
      }
      return found ? ok(found) : missing('subscription');
    }
    if (method === 'GET') {
      // localstripe answers ten, whatever the customer.
      const all = await must(backend('GET', '/v1/subscriptions?status=all&limit=100000'));
      const ours = all.data.filter(({ customer }) => !query.customer || customer === query.customer);
      const shown = await Promise.all(ours.map((raw) => subscription(state, backend, raw.id, { expand: expand.map((path) => path.replace('data.', '')) })));
      return list('/v1/subscriptions', shown.filter(({ status }) => query.status === 'all' || status !== 'canceled'));
    }
    if (method === 'POST' && id) return update(state, backend, id, body);
  }
  return pass();
}

const INVOICE_STATUSES = ['draft', 'open', 'paid', 'uncollectible', 'void'];

// https://docs.stripe.com/api/invoices/list: newest first, ten of them unless more are asked for, those after one that was seen.
// localstripe knows no status, and refuses what it does not know.
async function invoices(backend, { customer, subscription, status, limit = '10', starting_after: after, ...others }) {
  if (Object.keys(others).length) return error(400, `Received unknown parameters: ${Object.keys(others).join(', ')}`, 'parameter_unknown');
  if (status !== undefined && !INVOICE_STATUSES.includes(status)) return error(400, `Invalid status: must be one of ${INVOICE_STATUSES.join(', ')}`);
  if (!/^([1-9]|[1-9]\d|100)$/.test(limit)) return error(400, 'This value must be between 1 and 100.', 'parameter_invalid_integer');
  const filter = new URLSearchParams({ ...(customer && { customer }), ...(subscription && { subscription }), limit: '100000' });
  const { status: answered, body } = await backend('GET', `/v1/invoices?${filter}`);
  if (answered !== 200) return { status: answered, body };
  const all = body.data.filter((invoice) => status === undefined || invoice.status === status);
  const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && from === 0) return missing(`invoice: '${after}'`);
  return ok({ ...list('/v1/invoices', all.slice(from, from + Number(limit))).body, has_more: all.length > from + Number(limit) });
}

async function passOn(backend, method, address, text) {
  const query = new URLSearchParams(address.search);
  const { status, body } = await backend(method, address.pathname + (query.size ? `?${query}` : ''), method === 'GET' ? undefined : text);
  return { status, body };
}

async function prices(state, backend, method, id, query, body) {
  if (method === 'GET' && !id) {
    const found = [...state.prices.values()].filter((price) => (!query.lookup_keys || [query.lookup_keys].flat().includes(price.lookup_key)) && (query.active === undefined || String(price.active) === query.active));
    return list('/v1/prices', found);
  }
  if (method === 'GET') return state.prices.has(id) ? ok(state.prices.get(id)) : missing('price');
  if (id) return state.prices.has(id) ? ok(Object.assign(state.prices.get(id), body.active ? { active: body.active === 'true' } : {})) : missing('price');
  if ([...state.prices.values()].some(({ lookup_key }) => lookup_key && lookup_key === body.lookup_key)) return error(400, `A price already uses that lookup key (${body.lookup_key}).`, 'resource_already_exists');
  const { usage_type = 'licensed', meter = null } = body.recurring;
  if ((usage_type === 'metered') !== Boolean(meter)) return error(400, 'A metered price needs a meter, and no other has one.');
  if (meter && state.meters.get(meter)?.status !== 'active') return missing('billing meter');
  if (Boolean(body.unit_amount) === Boolean(body.unit_amount_decimal)) return error(400, 'One of unit_amount and unit_amount_decimal is required.');
  const cents = body.unit_amount ?? body.unit_amount_decimal;
  if (!/^\d+(\.\d{1,12})?$/.test(cents)) return error(400, `Invalid decimal: ${cents}`);
  const price = { id: `price_${short()}`, object: 'price', active: true, billing_scheme: 'per_unit', created: Math.floor(Date.now() / 1000), currency: body.currency, livemode: false, lookup_key: body.lookup_key ?? null, metadata: body.metadata ?? {}, nickname: null, product: body.product, recurring: { interval: body.recurring.interval, interval_count: 1, meter, usage_type }, type: 'recurring', unit_amount: /^\d+$/.test(cents) ? Number(cents) : null, unit_amount_decimal: cents };
  // What is metered costs nothing in advance: the subscriptions behind need not know it.
  if (meter) {
    state.prices.set(price.id, price);
    return ok(price);
  }
  // The same as a plan, for the subscriptions behind.
  const plan = { id: price.id, amount: body.unit_amount, currency: body.currency, interval: price.recurring.interval, product: body.product };
  for (const [name, value] of Object.entries(price.metadata)) plan[`metadata[${name}]`] = value;
  const { status, body: why } = await backend('POST', '/v1/plans', plan);
  if (status !== 200) return { status, body: why };
  state.prices.set(price.id, price);
  return ok(price);
}

const isMetered = (state, price) => state.prices.get(price)?.recurring.usage_type === 'metered';
/** How many of a price: what is metered has no quantity, and one is refused (https://docs.stripe.com/api/checkout/sessions/create). */
const counted = (state, { price, quantity }) => (isMetered(state, price) ? { price } : { price, quantity: Number(quantity ?? 1) });

/** What is wrong with lines of prices. */
function faultOf(state, lines, name = 'line_items') {
  const unusable = lines.findIndex(({ price }) => !state.prices.get(price)?.active);
  if (unusable >= 0) {
    const { price } = lines[unusable];
    if (!state.prices.has(price)) return missing(`price: '${price}'`, `${name}[${unusable}][price]`);
    return { status: 400, body: { error: { type: 'invalid_request_error', param: `${name}[${unusable}][price]`, message: 'The price specified is inactive. This field only accepts active prices.' } } };
  }
  const metered = lines.find(({ price, quantity }) => isMetered(state, price) && quantity !== undefined);
  if (metered) return error(400, 'Quantity should not be specified where usage_type is `metered`. Remove quantity.');
  if (new Set(lines.map(({ price }) => state.prices.get(price).recurring.interval)).size > 1) return error(400, 'Prices of one subscription must have the same interval.');
  if (new Set(lines.map(({ price }) => price)).size < lines.length) return error(400, 'A price is used twice.');
  return undefined;
}

function meters(state, method, id, action, query, body) {
  if (method === 'GET' && !id) return list('/v1/billing/meters', [...state.meters.values()].filter(({ status }) => !query.status || status === query.status));
  if (id) {
    const meter = state.meters.get(id);
    if (!meter) return missing('billing meter');
    if (action === 'deactivate') meter.status = 'inactive';
    if (action === 'reactivate') meter.status = 'active';
    return ok(meter);
  }
  if (!body.event_name || !body.display_name || !['sum', 'count', 'last'].includes(body.default_aggregation?.formula)) return error(400, 'Missing required param.');
  if ([...state.meters.values()].some(({ event_name, status }) => event_name === body.event_name && status === 'active')) return error(400, `A meter already uses the event name ${body.event_name}.`, 'resource_already_exists');
  const meter = { id: `mtr_test_${short()}`, object: 'billing.meter', created: Math.floor(Date.now() / 1000), customer_mapping: { type: 'by_id', event_payload_key: 'stripe_customer_id', ...body.customer_mapping }, default_aggregation: body.default_aggregation, display_name: body.display_name, event_name: body.event_name, event_time_window: null, livemode: false, status: 'active', status_transitions: { deactivated_at: null }, updated: Math.floor(Date.now() / 1000), value_settings: { event_payload_key: 'value', ...body.value_settings } };
  state.meters.set(meter.id, meter);
  return ok(meter);
}

// https://docs.stripe.com/api/billing/meter-event/create: an identifier is taken once, and refused with this text the second
// time; an instant must be within the past 35 days, or five minutes ahead at most.
function meterEvent(state, { event_name, identifier = randomUUID(), timestamp, payload }) {
  const now = Math.floor(Date.now() / 1000) + state.ahead;
  const at = timestamp === undefined ? now : Number(timestamp);
  const meter = [...state.meters.values()].find((one) => one.event_name === event_name && one.status === 'active');
  if (!meter) return error(400, `No active meter found for the event name ${event_name}.`);
  if (identifier.length > 100) return error(400, 'Invalid string: identifier must be at most 100 characters');
  if (!Number.isInteger(at) || at < now - 35 * 86_400 || at > now + 300) return error(400, 'The timestamp must be within the past 35 calendar days or up to 5 minutes in the future.');
  const customer = payload?.[meter.customer_mapping.event_payload_key];
  const value = payload?.[meter.value_settings.event_payload_key];
  if (!/^cus_/.test(customer ?? '')) return error(400, 'The payload names no customer.');
  if (!/^\d{1,15}$/.test(value ?? '')) return error(400, 'The payload has no value.');
  if (state.meterEvents.has(identifier)) return error(400, `An event already exists with identifier ${identifier}.`);
  state.meterEvents.set(identifier, { event_name, identifier, timestamp: at, customer, value: Number(value) });
  return ok({ object: 'billing.meter_event', created: now, event_name, identifier, livemode: false, payload, timestamp: at });
}

const shownSession = ({ lines, subscription_metadata, trial_days, ...session }) => session;

const paymentMethod = (backend, id) => must(backend('GET', `/v1/payment_methods/${id}`));

async function sessions(state, backend, method, id, action, body) {
  if (!id) {
    if ((await backend('GET', `/v1/customers/${body.customer}`)).status !== 200) return missing('customer');
    if (body.mode !== 'subscription' || !body.success_url || !body.line_items?.length) return error(400, 'Missing required param.');
    const fault = faultOf(state, body.line_items);
    if (fault) return fault;
    const session = { id: `cs_test_${short()}`, object: 'checkout.session', mode: body.mode, status: 'open', payment_status: 'unpaid', customer: body.customer, client_reference_id: body.client_reference_id ?? null, subscription: null, metadata: body.metadata ?? {}, success_url: body.success_url, cancel_url: body.cancel_url, created: Math.floor(Date.now() / 1000), expires_at: Math.floor(Date.now() / 1000) + 86_400, livemode: false, lines: body.line_items.map((line) => counted(state, line)), subscription_metadata: body.subscription_data?.metadata ?? {}, payment_method_collection: body.payment_method_collection ?? 'always' };
    const days = body.subscription_data?.trial_period_days;
    if (days !== undefined && !(Number(days) >= 1)) return error(400, 'The minimum number of trial period days is 1.');
    if (days !== undefined) session.trial_days = Number(days);
    session.url = `https://checkout.stripe.test/c/pay/${session.id}`;
    state.sessions.set(session.id, session);
    await sleep(50); // two at once meet
    return ok(shownSession(session));
  }
  const session = state.sessions.get(id);
  if (!session) return missing('checkout.session');
  if (method === 'POST' && action === 'expire') {
    if (session.status !== 'open') return error(400, `This Session is ${session.status}, only open ones can be expired.`);
    Object.assign(session, { status: 'expired', url: null });
  }
  return ok(shownSession(session));
}

/** Begins a subscription: localstripe's with the first price, the others beside it. In a trial nothing is charged. */
async function begin(state, local, customer, lines, metadata, trialDays) {
  const [first, ...others] = lines;
  for (const { price, quantity } of trialDays ? [] : others.filter((line) => !isMetered(state, line.price))) {
    const { unit_amount, currency } = state.prices.get(price);
    await local('POST', '/v1/invoiceitems', { customer, amount: String(unit_amount * quantity), currency });
  }
  const form = { customer, 'items[0][plan]': first.price, 'items[0][quantity]': String(first.quantity) };
  for (const [name, value] of Object.entries(metadata)) form[`metadata[${name}]`] = value;
  if (trialDays) form.trial_period_days = String(trialDays);
  const { id, start_date: start } = await local('POST', '/v1/subscriptions', form);
  if (trialDays) {
    // localstripe makes no invoice, and leaves it incomplete.
    const end = start + trialDays * 86_400;
    Object.assign(overlay(state, id), { status: 'trialing', trial_start: start, trial_end: end, billing_cycle_anchor: end, period: { current_period_start: start, current_period_end: end } });
  }
  overlay(state, id).items = lines.map((line) => ({ ...line, id: `si_${short()}` }));
  return id;
}

/** A subscription as Stripe shows it. */
async function subscription(state, backend, id, { expand = [] }) {
  const { status, body: raw } = await backend('GET', `/v1/subscriptions/${id}`);
  if (status !== 200) return undefined;
  const { items = [], periods = 0, period: set, ...over } = overlay(state, id);
  // What has moved on by whole periods since localstripe began it.
  const length = raw.current_period_end - raw.current_period_start;
  const period = set ?? { current_period_start: raw.current_period_start + periods * length, current_period_end: raw.current_period_end + periods * length };
  const isOld = state.shape === 'old';
  const data = items.map((item) => {
    const price = state.prices.get(item.price);
    const plan = { id: price.id, object: 'plan', amount: price.unit_amount, currency: price.currency, interval: price.recurring.interval, metadata: price.metadata };
    return { id: item.id, object: 'subscription_item', quantity: item.quantity, subscription: id, ...(isOld ? { plan } : { price, plan, ...period }) };
  });
  const shown = { ...raw, cancel_at_period_end: false, schedule: null, pause_collection: null, ...over, items: { object: 'list', has_more: false, data, url: `/v1/subscription_items?subscription=${id}` } };
  for (const name of ['current_period_start', 'current_period_end']) {
    delete shown[name];
    if (isOld) shown[name] = period[name];
  }
  if (!isOld) for (const name of ['plan', 'quantity', 'tax_percent']) delete shown[name];
  if (raw.status === 'canceled') shown.status = 'canceled';
  if (expand.includes('default_payment_method') && shown.default_payment_method) shown.default_payment_method = await paymentMethod(backend, shown.default_payment_method);
  if (expand.includes('latest_invoice') && typeof shown.latest_invoice === 'string') shown.latest_invoice = await must(backend('GET', `/v1/invoices/${shown.latest_invoice}`));
  return shown;
}

async function update(state, backend, id, body) {
  const before = await subscription(state, backend, id, {});
  if (!before) return missing('subscription');
  if (before.status === 'canceled') return error(400, 'A canceled subscription can only update its cancellation_details and metadata.');
  const over = overlay(state, id);
  if (over.schedule && (body.items || body.cancel_at_period_end !== undefined)) return error(400, 'The subscription is managed by the subscription schedule, and updating it directly is not allowed.');
  if (body.items) {
    const items = over.items.map((item) => ({ ...item }));
    for (const change of body.items) {
      const at = items.findIndex((item) => item.id === change.id);
      if (change.id && at < 0) return missing('subscription_item');
      if (change.deleted === 'true') items.splice(at, 1);
      else if (at >= 0) items[at] = { id: change.id, price: change.price ?? items[at].price, quantity: change.quantity ?? (change.price && isMetered(state, change.price) ? undefined : items[at].quantity) };
      else items.push({ id: `si_${short()}`, price: change.price, quantity: change.quantity });
    }
    const fault = faultOf(state, items.map(({ price, quantity }) => ({ price, quantity })), 'items');
    if (fault) return fault;
    items.forEach((item, at) => (items[at] = { id: item.id, ...counted(state, item) }));
    const cents = (these) => these.reduce((sum, { price, quantity }) => sum + (isMetered(state, price) ? 0 : state.prices.get(price).unit_amount * quantity), 0);
    const { current_period_start: start, current_period_end: end } = state.shape === 'old' ? before : before.items.data[0];
    const due = Math.round(((cents(items) - cents(over.items)) * (end - Date.now() / 1000)) / (end - start));
    // https://docs.stripe.com/billing/subscriptions/prorations: there is nothing to prorate in a trial.
    if (body.proration_behavior === 'always_invoice' && due > 0 && before.status !== 'trialing') {
      // https://docs.stripe.com/api/subscriptions/update#update_subscription-payment_behavior: nothing changes.
      if (state.cards.get(before.customer) === BAD_CARD && body.payment_behavior === 'error_if_incomplete') return { status: 402, body: { error: { type: 'card_error', code: 'card_declined', message: 'Your card was declined.' } } };
      await must(backend('POST', '/v1/invoiceitems', { customer: before.customer, amount: String(due), currency: 'usd' }));
      const invoice = await must(backend('POST', '/v1/invoices', { customer: before.customer, subscription: id }));
      state.parts.add(invoice.id);
      await must(backend('POST', `/v1/invoices/${invoice.id}/pay`, {}));
      await state.paid(before.customer, id, invoice.id);
    }
    over.items = items;
  }
  if (body.cancel_at_period_end !== undefined) over.cancel_at_period_end = body.cancel_at_period_end === 'true';
  if (body.metadata) over.metadata = { ...before.metadata, ...body.metadata };
  return ok(await subscription(state, backend, id, { expand: [body.expand ?? []].flat() }));
}

async function schedules(state, backend, method, id, action, body) {
  if (method === 'POST' && !id) {
    const held = await subscription(state, backend, body.from_subscription, {});
    if (!held) return missing('subscription');
    if (held.schedule) return error(400, 'You cannot migrate a subscription that is already attached to a schedule.');
    const schedule = { id: `sub_sched_${short()}`, object: 'subscription_schedule', status: 'active', subscription: held.id, customer: held.customer, end_behavior: 'release', phases: [{ items: overlay(state, held.id).items }] };
    state.schedules.set(schedule.id, schedule);
    overlay(state, held.id).schedule = schedule.id;
    return ok(schedule);
  }
  const schedule = state.schedules.get(id);
  if (!schedule) return missing('subscription_schedule');
  if (method === 'POST' && action === 'release') {
    overlay(state, schedule.subscription).schedule = null;
    Object.assign(schedule, { status: 'released', released_subscription: schedule.subscription, subscription: null });
  } else if (method === 'POST') {
    const fault = body.phases.map(({ items }, at) => faultOf(state, items, `phases[${at}][items]`)).find(Boolean);
    if (fault) return fault;
    if (!body.phases[0].start_date || !body.phases[0].end_date) return error(400, 'The first phase needs its dates.');
    schedule.phases = body.phases.map((phase) => ({ ...phase, items: phase.items.map((item) => counted(state, item)) }));
  }
  return ok(schedule);
}
