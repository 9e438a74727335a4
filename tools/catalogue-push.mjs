// `npm run catalogue:push`: makes the products and prices of the catalogue (shared/domain/src/catalogue/table.rs) at Stripe,
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
 * @property {boolean} seat
 * @property {'month' | 'year'} interval
 * @property {number} unit_amount in cents
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
  for (const price of prices) {
    const { data } = await stripe('GET', `/v1/prices?active=true&limit=10&lookup_keys[0]=${price.lookup_key}`);
    const found = data.find(({ lookup_key }) => lookup_key === price.lookup_key);
    if (found) {
      // A price cannot be changed at Stripe, and must not be: somebody pays it.
      if (found.unit_amount !== price.unit_amount || found.currency !== price.currency || found.recurring?.interval !== price.interval) {
        throw new Failure(`Stripe has ${price.lookup_key} at ${found.unit_amount} ${found.currency} a ${found.recurring?.interval}, the catalogue at ${price.unit_amount} ${price.currency} a ${price.interval}`, 'A price that was sold is never changed: add an entry with the next version to the catalogue.');
      }
      kept.push(price.lookup_key);
      continue;
    }
    made.push(price.lookup_key);
    if (dryRun) continue;
    const product = `tollgate_${price.product}_${price.plan}${price.seat ? '_seat' : ''}`;
    if (!products.has(product)) {
      await ensureProduct(stripe, product, `${title(price.product)} ${title(price.plan)}${price.seat ? ', seat' : ''}`);
      products.add(product);
    }
    await stripe('POST', '/v1/prices', {
      product, currency: price.currency, unit_amount: price.unit_amount, 'recurring[interval]': price.interval,
      lookup_key: price.lookup_key, 'metadata[tollgate_price]': price.lookup_key,
    }, `price-${price.lookup_key}`);
  }
  return { made, kept };
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
    if (!values.STRIPE_SECRET_KEY) throw new Failure('STRIPE_SECRET_KEY is not set', 'Put it into .env; a restricted key that may write products and prices is enough.');
    const dryRun = process.argv.includes('--dry-run');
    const { made, kept } = await pushCatalogue(await catalogue(), { key: values.STRIPE_SECRET_KEY, base: values.STRIPE_API_BASE, dryRun });
    for (const lookupKey of made) say(`${dryRun ? 'missing' : 'made'}  ${lookupKey}`);
    say(`${made.length} ${dryRun ? 'are missing' : 'made'}, ${kept.length} were there`);
  });
}
