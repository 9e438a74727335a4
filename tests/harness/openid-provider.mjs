// A certified OpenID provider (the package oidc-provider) as a process of its own. Whoever signs in there says in the form who
// they are: it is the provider's part that is real here, not its users.
//
//   const openid = await startOpenIdProvider({ port, clients: [{ client_id, client_secret, redirect_uris }] });
//   const callback = await openid.signIn(browser, authorizeUrl, { sub: 'ada', email: 'ada@example.com', email_verified: true });
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import readline from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * @param {object} options
 * @param {number} options.port
 * @param {object[]} options.clients as oidc-provider takes them
 */
export async function startOpenIdProvider({ port, clients }) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { PATH: process.env.PATH, OPENID_PROVIDER: JSON.stringify({ port, clients }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  readline.createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const lines = readline.createInterface({ input: child.stdout });
  after(() => child.kill());
  await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => {
      throw new Error(`the OpenID provider ended:\n${log.join('\n')}`);
    }),
  ]);
  return {
    issuer: `http://127.0.0.1:${port}`,
    log,
    /**
     * Signs in at the provider and answers the callback's address, which was not opened yet.
     * @param {import('./browser.mjs').Browser} browser
     * @param {string} url where the platform sent the browser
     * @param {{sub: string, email?: string, email_verified?: boolean, name?: string}} person
     */
    async signIn(browser, url, person) {
      let step = await browser.send(url);
      for (let steps = 0; steps < 10; steps++) {
        assert.ok(step.location, `the provider answered ${step.status}: ${step.text.slice(0, 300)}`);
        if (!step.location.startsWith(`http://127.0.0.1:${port}/`)) return step.location;
        const asks = new URL(step.location).pathname.startsWith('/interaction/');
        step = asks ? await browser.post(step.location, { person: JSON.stringify(person) }) : await browser.send(step.location);
      }
      throw new Error('the provider sends the browser around in circles');
    },
  };
}

async function serve({ port, clients }) {
  const { Provider } = await import('oidc-provider');
  const people = new Map();
  const key = (kind, options, more) => ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more });
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, { kid: 'rsa', alg: 'RS256' }),
        key('rsa', { modulusLength: 2048 }, { kid: 'pss', alg: 'PS256' }),
        key('ec', { namedCurve: 'P-256' }, { kid: 'ec', alg: 'ES256' }),
        key('ed25519', {}, { kid: 'ed', alg: 'EdDSA' }),
      ],
    },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['a key of a test'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => people.has(sub) && { accountId: sub, claims: () => people.get(sub) },
    // Nobody is asked whether the client may know: that is the provider's business.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  const { createServer: createHttpServer } = await import('node:http');
  createHttpServer(async (request, response) => {
    if (request.method === 'POST' && request.url.startsWith('/interaction/')) {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const person = JSON.parse(new URLSearchParams(Buffer.concat(pieces).toString()).get('person'));
      if (person.refuses) return provider.interactionFinished(request, response, { error: 'access_denied', error_description: '<b>no</b>' });
      people.set(person.sub, person);
      return provider.interactionFinished(request, response, { login: { accountId: person.sub } });
    }
    return answer(request, response);
  }).listen(port, '127.0.0.1', () => console.log('ready'));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await serve(JSON.parse(process.env.OPENID_PROVIDER));
