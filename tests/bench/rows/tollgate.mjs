// Tollgate itself, all functions, on the same Miniflare API as the other rows (not through wrangler's proxy).
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../../tools/lib/free-port.mjs';

const PARALLEL_REGISTRATIONS = 4; // each costs about 45 ms of argon2, all in one thread
const PASSWORD = 'correct-horse-battery-staple-bench';
const MARGIN_MS = 60_000;
const ROOT = resolve(import.meta.dirname, '../../..');

/** A tool of this checkout, or of the other one that is measured beside it. */
const tool = (checkout, name) => import(pathToFileURL(join(checkout ?? ROOT, 'tools', name)).href);

export async function prepare({ checkout }) {
  const { missingBuilds } = await tool(checkout, 'build.mjs');
  const missing = missingBuilds();
  if (missing.length) throw new Error(`not built: ${missing.join(', ')}`);
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${new URL(url).pathname} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return answer.json();
}

async function inParallel(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL_REGISTRATIONS }, worker));
}

export async function serve({ checkout, upstream, stateDir, users, progress }) {
  const { startPlatform } = await tool(checkout, 'platform.mjs');
  const { generateKeys } = await tool(checkout, 'settings.mjs');
  const platform = await startPlatform({
    port: await freePort(),
    stateDir: join(stateDir, 'state'),
    environment: 'bench',
    // The bench plan has no limits; only the environment "bench" knows it. A trial would end after 120 requests.
    settings: { ...generateKeys(), OPENAI_BASE_URL: `${upstream}/v1`, OPENAI_API_KEY: 'x', TOLLGATE_BENCH_PLAN: '1' },
    log: ({ level, message }) => level === 'error' && process.stderr.write(`${message}\n`),
  });
  const url = String(platform.url).replace(/\/$/, '');
  try {
    const sessions = [];
    const keep = (at, { access_token, refresh_token, expires_in }) =>
      (sessions[at] = { access_token, refresh_token, expiresAt: Date.now() + expires_in * 1000 });

    await inParallel(users, async (at) => {
      keep(at, await post(`${url}/auth/register`, { email: `bench-${at}@example.com`, password: PASSWORD }));
      if (at % 100 === 99) progress(`${at + 1} of ${users} users registered`);
    });
    /** The users' tokens, renewed where one would run out during the next measurement. */
    const tokens = async () => {
      const late = sessions.flatMap(({ expiresAt }, at) => (expiresAt < Date.now() + MARGIN_MS ? [at] : []));
      await inParallel(late.length, async (n) => {
        const at = late[n];
        keep(at, await post(`${url}/auth/refresh`, { refresh_token: sessions[at].refresh_token }));
      });
      return sessions.map(({ access_token }) => access_token);
    };
    const counted = async () => {
      const [token] = await tokens();
      const answer = await fetch(`${url}/usage/quota?fresh=true`, { headers: { authorization: `Bearer ${token}` } });
      const { data } = await answer.json();
      const meter = data.find(({ meter }) => meter === 'requests');
      return meter.used - (meter.reserved ?? 0);
    };
    return { url, path: '/v1/chat/completions', model: 'openai/gpt-4o-mini', tokens, counted, stop: () => platform.stop() };
  } catch (error) {
    await platform.stop();
    throw error;
  }
}
