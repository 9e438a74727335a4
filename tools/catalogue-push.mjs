// `npm run catalogue:push`: makes the products, meters and prices of the catalogue (shared/domain/src/catalogue/table.rs) at Stripe,
// in the account of STRIPE_SECRET_KEY. What is there already stays; nothing is ever deleted, and no secret is written.
//
//   npm run catalogue:push              makes what is missing
//   npm run catalogue:push -- --dry-run says what is missing
import { pathToFileURL } from 'node:url';
import { Failure, runMain, say } from './lib/report.mjs';
import { capture, cargoMessages } from './lib/run.mjs';

/**
 * @typedef {object} CataloguePrice
 * @property {string} lookup_key `tollgate_agent_pro_v1_base_month`
 * @property {string} product
 * @property {string} plan
 * @property {boolean} [seat]
 * @property {'month' | 'year'} interval
 * @property {number} [unit_amount] in cents
 * @property {string} [meter] for overage: the meter,
 * @property {string} [event_name] what Stripe's meter listens to,
 * @property {string} [unit_amount_decimal] and a unit in cents, in the place of `unit_amount`
 * @property {string} currency
 */

/**
 * Makes what Stripe lacks. Safe to run twice, and two at once: products have ids of ours, prices their lookup keys, and every
 * request an idempotency key.
 *
 * @param {CataloguePrice[]} prices
 * @param {{key: string, base?: string, dryRun?: boolean, fetch?: typeof fetch}} options
 * @returns {Promise<{made: string[], kept: string[]}>} by lookup key
 */
export async function pushCatalogue(prices, { key, base = 'https://api.stripe.com', dryRun = false }) {
  const stripe = client(key, base.replace(/\/+$/, ''));
  const made = [];
  const kept = [];
  const products = new Set();
  let meters;
  for (const price of prices) {
    const { data } = await stripe('GET', `/v1/prices?active=true&limit=10&lookup_keys[0]=${price.lookup_key}`);
    const found = data.find(({ lookup_key }) => lookup_key === price.lookup_key);
    if (price.meter) meters ??= await allMeters(stripe);
    if (found) {
      const meter = price.meter && meters.get(price.event_name)?.id;
      // A price cannot be changed at Stripe, and must not be: somebody pays it.
      if (unitCents(found) !== unitCents(price) || found.currency !== price.currency || found.recurring?.interval !== price.interval || (price.meter && (found.recurring.usage_type !== 'metered' || found.recurring.meter !== meter))) {
        throw new Failure(`Stripe has ${price.lookup_key} at ${unitCents(found)} ${found.currency} a ${found.recurring?.interval}${price.meter ? ` by the meter ${found.recurring?.meter}` : ''}, the catalogue at ${unitCents(price)} ${price.currency} a ${price.interval}${price.meter ? ` by the meter ${meter}` : ''}`, 'A price that was sold is never changed: add an entry with the next version to the catalogue.');
      }
      kept.push(price.lookup_key);
      continue;
    }
    made.push(price.lookup_key);
    if (dryRun) continue;
    const kind = price.meter ? `_overage_${price.meter}` : price.seat ? '_seat' : '';
    const product = `tollgate_${price.product}_${price.plan}${kind}`;
    if (!products.has(product)) {
      await ensureProduct(stripe, product, `${title(price.product)} ${title(price.plan)}${price.meter ? `, more ${price.meter}` : price.seat ? ', seat' : ''}`);
      products.add(product);
    }
    const amount = price.meter
      ? { unit_amount_decimal: price.unit_amount_decimal, 'recurring[usage_type]': 'metered', 'recurring[meter]': await ensureMeter(stripe, meters, price) }
      : { unit_amount: price.unit_amount };
    await stripe('POST', '/v1/prices', {
      product, currency: price.currency, ...amount, 'recurring[interval]': price.interval,
      lookup_key: price.lookup_key, 'metadata[tollgate_price]': price.lookup_key,
    }, `price-${price.lookup_key}`);
  }
  return { made, kept };
}

/** A unit in cents, in one spelling: Stripe has both fields of a price. */
function unitCents({ unit_amount, unit_amount_decimal }) {
  const text = String(unit_amount_decimal ?? unit_amount);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Every meter of the account by its event's name; of two with the same one the active. */
async function allMeters(stripe) {
  const meters = new Map();
  for (let after; ; ) {
    const { data, has_more } = await stripe('GET', `/v1/billing/meters?limit=100${after ? `&starting_after=${after}` : ''}`);
    for (const meter of data) if (meters.get(meter.event_name)?.status !== 'active') meters.set(meter.event_name, meter);
    if (!has_more) return meters;
    after = data.at(-1).id;
  }
}

/** One meter for each product and meter, for all plans: it adds events up, each with a customer and a value. */
async function ensureMeter(stripe, meters, { product, meter, event_name }) {
  const found = meters.get(event_name);
  if (found && found.status !== 'active') throw new Failure(`Stripe's meter of ${event_name} is not active`, 'Reactivate it in the Dashboard; events are refused until then.');
  if (found) return found.id;
  const made = await stripe('POST', '/v1/billing/meters', {
    display_name: `${title(product)}: ${meter} beyond what is included`, event_name, 'default_aggregation[formula]': 'sum',
    'customer_mapping[type]': 'by_id', 'customer_mapping[event_payload_key]': 'stripe_customer_id', 'value_settings[event_payload_key]': 'value',
  }, `meter-${event_name}`);
  meters.set(event_name, made);
  return made.id;
}

async function ensureProduct(stripe, id, name) {
  const found = await stripe('GET', `/v1/products/${id}`, undefined, undefined, [404]);
  if (!found) await stripe('POST', '/v1/products', { id, name }, `product-${id}`);
}

const title = (word) => word[0].toUpperCase() + word.slice(1);

function client(key, base) {
  return async (method, path, form, idempotencyKey, accepted = []) => {
    let answer;
    try {
      answer = await fetch(base + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}) },
        body: form && new URLSearchParams(form),
        signal: AbortSignal.timeout(30_000),
      });
    } catch (error) {
      throw new Failure(`Stripe cannot be reached at ${base}: ${error.cause?.code ?? error.message}`);
    }
    if (accepted.includes(answer.status)) return undefined;
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Failure(`Stripe answers ${answer.status} to ${method} ${path.split('?')[0]}: ${data.error?.message ?? ''}`);
    return data;
  };
}

/** The prices of the catalogue, from the Rust sources. */
async function catalogue() {
  const { code, stdout, stderr } = await capture('cargo', ['run', '-q', '-p', 'tollgate-domain', '--example', 'catalogue']);
  if (code !== 0) throw new Failure(`the catalogue cannot be read (cargo ended with code ${code}):\n${cargoMessages(stderr).trim()}`);
  return JSON.parse(stdout);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    const { loadSettings } = await import('./settings.mjs');
    const { values } = loadSettings();
    if (!values.STRIPE_SECRET_KEY) throw new Failure('STRIPE_SECRET_KEY is not set', 'Put it into .env; a restricted key that may write products, prices and billing meters is enough.');
    const dryRun = process.argv.includes('--dry-run');
    const { made, kept } = await pushCatalogue(await catalogue(), { key: values.STRIPE_SECRET_KEY, base: values.STRIPE_API_BASE, dryRun });
    for (const lookupKey of made) say(`${dryRun ? 'missing' : 'made'}  ${lookupKey}`);
    say(`${made.length} ${dryRun ? 'are missing' : 'made'}, ${kept.length} were there`);
  });
}
