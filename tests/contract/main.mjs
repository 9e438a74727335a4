// The OpenAPI document against the running platform: Schemathesis makes requests up from it, right ones and wrong ones, and no
// answer may be a 5xx, or have a status, a content type or a body that the document does not know.
//
// Three runs, so that no operation is only ever refused: an owner of a paid team; the operator; and last, for somebody who has
// nothing to lose, what ends the session that asks. What would ask strangers (a provider's address, a domain's records) has its
// tests in tests/e2e/sso.test.mjs.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform } from '../../tools/platform.mjs';
import { generateKeys, generateMasterKey } from '../../tools/settings.mjs';
import { installPython } from '../../tools/lib/python.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { startStripe } from '../harness/stripe-front.mjs';

const VERSION = '4.32.5';
const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const FOR_THE_OPERATOR = ['list_job_runs', 'run_job', 'list_failed_mails', 'replay_mail', 'list_stripe_events', 'replay_stripe_event'];
const ENDING = ['revoke_session', 'delete_user'];
const ASKING_STRANGERS = ['set_sso', 'verify_domain'];
const CHECKS = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_headers_conformance', 'response_schema_conformance', 'ignored_auth'];

/**
 * @param {string[]} options of Schemathesis, after ours
 * @returns {Promise<number>} the exit code
 */
export async function contract(options) {
  const programs = await installPython({ folder: 'contract', name: 'schemathesis', version: VERSION });
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-contract-'));
  const port = await freePort();
  const complaints = [];
  const log = ({ level, message }) => (level === 'error' || /panicked/.test(message)) && complaints.push(message);
  const stripe = await startStripe();
  const settings = { ...generateKeys(), MASTER_KEYS: generateMasterKey(), PUBLIC_URL: `http://127.0.0.1:${port}`, OPERATOR_TOKEN, ...stripe.env };
  const platform = await startPlatform({ port, stateDir: join(folder, 'state'), settings, log });
  try {
    await stripe.pushCatalogue(platform);
    const [owner, other] = [await register(platform, 'owner@example.com'), await register(platform, 'other@example.com')];
    await buyTeams(platform, stripe, owner);
    const run = (token, chosen) => {
      const args = ['run', `${platform.url}/openapi.json`, '--header', `Authorization: Bearer ${token}`, '--checks', CHECKS.join(','), '--max-examples', '50', '--workers', '1', '--no-color', ...chosen, ...options];
      return new Promise((done, failed) => {
        spawn(join(programs, 'schemathesis'), args, { cwd: folder, stdio: 'inherit' }).on('error', failed).on('exit', (exit) => done(exit ?? 1));
      });
    };
    const naming = (option, ids) => ids.flatMap((id) => [option, id]);
    const codes = [
      await run(owner, naming('--exclude-operation-id', [...FOR_THE_OPERATOR, ...ENDING, ...ASKING_STRANGERS])),
      await run(OPERATOR_TOKEN, naming('--include-operation-id', FOR_THE_OPERATOR)),
      await run(other, naming('--include-operation-id', ENDING)),
    ];
    const code = Math.max(...codes);
    const panics = complaints.filter((message) => /panicked/.test(message));
    if (panics.length) console.log(`The platform panicked:\n${panics.join('\n')}`);
    return panics.length ? 1 : code;
  } finally {
    await platform.stop();
    await stripe.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function register(platform, email) {
  const { access_token } = await send(platform, '/auth/register', { email, password: 'a long and quiet password 42' });
  return access_token;
}

/** With the plan that has everything. */
async function buyTeams(platform, stripe, token) {
  const { checkout_url } = await send(platform, '/subscription/checkout', { plan: 'teams', seats: 5 }, token);
  await stripe.pay(checkout_url);
  // It looks at Stripe by itself.
  await send(platform, '/subscription/checkout', { plan: 'teams', seats: 6 }, token);
}

async function send(platform, path, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(platform.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}
