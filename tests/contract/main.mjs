// The OpenAPI document against the running platform: Schemathesis makes requests up from it, right ones and wrong ones, and no
// answer may be a 5xx, or have a status, a content type or a body that the document does not know.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform } from '../../tools/platform.mjs';
import { generateKeys, generateMasterKey } from '../../tools/settings.mjs';
import { installPython } from '../../tools/lib/python.mjs';
import { freePort } from '../bench/rows/program.mjs';
import { startStripe } from '../harness/stripe-front.mjs';

const VERSION = '4.32.5';
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
  const settings = { ...generateKeys(), MASTER_KEYS: generateMasterKey(), PUBLIC_URL: `http://127.0.0.1:${port}`, OPERATOR_TOKEN: 'op_0123456789abcdef0123456789', ...stripe.env };
  const platform = await startPlatform({ port, stateDir: join(folder, 'state'), settings, log });
  try {
    await stripe.pushCatalogue(platform);
    const answer = await fetch(`${platform.url}/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'contract@example.com', password: 'a long and quiet password 42' }),
    });
    const { access_token: token } = await answer.json();
    const args = ['run', `${platform.url}/openapi.json`, '--header', `Authorization: Bearer ${token}`, '--checks', CHECKS.join(','), '--max-examples', '50', '--workers', '1', '--no-color', ...options];
    const code = await new Promise((done, failed) => {
      spawn(join(programs, 'schemathesis'), args, { cwd: folder, stdio: 'inherit' }).on('error', failed).on('exit', (exit) => done(exit ?? 1));
    });
    const panics = complaints.filter((message) => /panicked/.test(message));
    if (panics.length) console.log(`The platform panicked:\n${panics.join('\n')}`);
    return panics.length ? 1 : code;
  } finally {
    await platform.stop();
    await stripe.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
