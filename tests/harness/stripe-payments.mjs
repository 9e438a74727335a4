// Charges, refunds and disputes of `stripe-front.mjs`: localstripe charges, and what happens to a charge afterwards is kept here.
//
// Sources: https://docs.stripe.com/api/charges/object, https://docs.stripe.com/api/refunds, https://docs.stripe.com/api/disputes/object,
// https://docs.stripe.com/api/invoice-payment/object.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

const short = () => randomUUID().replaceAll('-', '').slice(0, 24);
/** localstripe expands what Stripe names by its id. */
const idOf = (value) => value?.id ?? value ?? null;
const seconds = () => Math.floor(Date.now() / 1000);
const DISPUTES = ['warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'won', 'lost', 'prevented'];

/**
 * @param {object} front
 * @param {any} front.state what the front keeps
 * @param {(method: string, path: string, form?: object) => Promise<{status: number, body: any}>} front.backend localstripe
 * @param {any} front.answers `{ok, missing, error, list}`: how the front answers
 */
export function payments({ state, backend, answers: { ok, missing, error, list } }) {
  Object.assign(state, { refunds: new Map(), disputes: new Map(), parts: new Set(), longInvoices: new Set() });
  const all = async (kind) => (await backend('GET', `/v1/${kind}?limit=100000`)).body.data;
  const invoiceOf = async (charge) => (await all('invoices')).find((invoice) => idOf(invoice.charge) === charge);
  const of = (map, charge) => [...map.values()].filter((one) => one.charge === charge).reverse();

  /** A charge in the shape of its day: since 2025-03-31 it does not say which invoice it paid. */
  async function shownCharge(raw) {
    const invoice = await invoiceOf(raw.id);
    const refunded = of(state.refunds, raw.id).filter(({ status }) => !['failed', 'canceled'].includes(status)).reduce((sum, { amount }) => sum + amount, 0);
    const { invoice: _, refunds: __, ...rest } = raw;
    const shown = { ...rest, amount_refunded: refunded, refunded: refunded >= raw.amount, disputed: of(state.disputes, raw.id).some(({ status }) => !status.startsWith('warning_')), payment_intent: idOf(invoice?.payment_intent) };
    return state.shape === 'old' ? { ...shown, invoice: invoice?.id ?? null } : shown;
  }

  /** An invoice in the shape of its day. What the front billed in mid-period is for a part of one, which localstripe does not know. */
  function shownInvoice({ subscription, lines, ...raw }) {
    const isOld = state.shape === 'old';
    const data = lines.data.map(({ proration, ...line }) => {
      const is = proration || line.type === 'invoiceitem' || state.parts.has(raw.id);
      return isOld ? { ...line, proration: is } : { ...line, parent: { type: 'subscription_item_details', subscription_item_details: { proration: is, subscription } } };
    });
    const parts = state.longInvoices.has(raw.id) ? Array.from({ length: 12 }, (_, n) => ({ ...structuredClone(data.at(-1)), id: `il_part${n}`, ...(isOld ? { proration: true } : { parent: { subscription_item_details: { proration: true } } }) })) : [];
    const shown = { ...raw, whole: [...parts, ...data] };
    return isOld ? { ...shown, subscription } : { ...shown, parent: subscription ? { type: 'subscription_details', subscription_details: { subscription } } : null };
  }

  async function invoice(id, lines, { limit = '10' } = {}) {
    const { status, body } = await backend('GET', `/v1/invoices/${id}`);
    if (status !== 200) return missing('invoice', 'id');
    const { whole, ...shown } = shownInvoice(body);
    const page = { object: 'list', url: `/v1/invoices/${id}/lines`, data: whole.slice(0, Number(limit)), has_more: whole.length > Number(limit) };
    return ok(lines ? page : { ...shown, lines: page });
  }

  async function charges(id, { customer, created, limit = '10' }) {
    if (id) {
      const raw = (await all('charges')).find((one) => one.id === id);
      return raw ? ok(await shownCharge(raw)) : missing('charge', 'id');
    }
    const found = (await all('charges')).filter((one) => (!customer || one.customer === customer) && one.created >= Number(created?.gte ?? 0));
    return list('/v1/charges', await Promise.all(found.slice(0, Number(limit)).map(shownCharge)));
  }

  async function intent(id) {
    const { status, body } = await backend('GET', `/v1/payment_intents/${id}`);
    return status === 200 ? ok({ ...body, latest_charge: idOf(body.latest_charge) }) : missing('payment_intent', 'id');
  }

  /** What the front answers to a path, `undefined` where it is about no payment. */
  async function route(method, kind, id, sub, query) {
    if (method !== 'GET') return undefined;
    if (kind === 'charges' && !sub) return charges(id, query);
    if (kind === 'payment_intents' && id && !sub) return intent(id);
    if (kind === 'invoices' && id && (!sub || sub === 'lines')) return invoice(id, sub === 'lines', query);
    for (const [name, map] of [['refunds', state.refunds], ['disputes', state.disputes]]) {
      if (kind !== name) continue;
      if (id) return map.has(id) ? ok(map.get(id)) : missing(name, 'id');
      return list(`/v1/${name}`, of(map, query.charge));
    }
    if (kind === 'invoice_payments' && !id) {
      // https://docs.stripe.com/api/invoice-payment/list: by intents and records, and not by charges.
      const { type, payment_intent: intent } = query.payment ?? {};
      if (type !== 'payment_intent' || !intent) return error(400, 'Invalid payment[type]: must be one of payment_intent or payment_record');
      const found = (await all('invoices')).filter((one) => idOf(one.payment_intent) === intent);
      return list('/v1/invoice_payments', found.map((one) => ({ id: `inpay_${short()}`, object: 'invoice_payment', invoice: one.id, amount_paid: one.amount_paid, status: one.status === 'paid' ? 'paid' : 'open', payment: { type, payment_intent: intent } })));
    }
    return undefined;
  }

  /** What somebody does at Stripe with a payment. */
  const actions = (emit) => {
    const named = (object, byIntent, intent) => (byIntent ? { ...object, charge: null, payment_intent: intent } : object);
    return {
      /** The payment of an invoice. */
      async chargeOf(invoice) {
        const charge = idOf((await backend('GET', `/v1/invoices/${invoice}`)).body.charge);
        assert.match(charge ?? '', /^ch_/, 'the invoice was paid');
        return charge;
      },
      /** An operator gives money back, all of it unless an amount is named; `byIntent`: the event names the intent alone. */
      async refund(charge, { amount, byIntent = false } = {}) {
        const raw = (await all('charges')).find((one) => one.id === charge);
        const refund = { id: `re_${short()}`, object: 'refund', amount: amount ?? raw.amount, charge, currency: raw.currency, payment_intent: idOf((await invoiceOf(charge))?.payment_intent), status: 'succeeded', created: seconds() };
        state.refunds.set(refund.id, refund);
        if (byIntent) return emit('refund.created', named(refund, byIntent, refund.payment_intent)) && refund;
        emit('charge.refunded', await shownCharge(raw));
        emit('refund.created', refund);
        return refund;
      },
      /** The bank of whoever was to get it did not take it. */
      failRefund(refund) {
        Object.assign(refund, { status: 'failed', failure_reason: 'lost_or_stolen_card' });
        emit('refund.failed', refund);
        emit('charge.refund.updated', refund);
      },
      /** Somebody's bank takes money back. */
      dispute(charge, { status = 'needs_response' } = {}) {
        assert.ok(DISPUTES.includes(status), status);
        const dispute = { id: `du_${short()}`, object: 'dispute', charge, status, created: seconds() };
        state.disputes.set(dispute.id, dispute);
        emit('charge.dispute.created', dispute);
        return dispute;
      },
      /** It is decided, or goes a step on. */
      decide(dispute, status) {
        assert.ok(DISPUTES.includes(status), status);
        Object.assign(dispute, { status });
        emit(['won', 'lost', 'prevented', 'warning_closed'].includes(status) ? 'charge.dispute.closed' : 'charge.dispute.updated', { ...dispute });
      },
      /** So many parts were billed with an invoice that its own line is not on the first page. */
      lengthen: (invoice) => state.longInvoices.add(invoice),
    };
  };
  return { route, actions };
}
