// Signing in through other parties: with a certified OpenID provider as a process of its own, a strict stand-in for GitHub, and a
// provider that forges.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { freePort } from '../../tools/lib/free-port.mjs';
import { auditEntries } from '../harness/audit-rows.mjs';
import { Browser } from '../harness/browser.mjs';
import { withDatabase } from '../harness/database.mjs';
import { startForgingProvider } from '../harness/forging-provider.mjs';
import { startGitHub } from '../harness/github.mjs';
import { assertProblem, chat, del, freshEmail, get, PASSWORD, post, register } from '../harness/http.mjs';
import { startOpenIdProvider } from '../harness/openid-provider.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

const port = await freePort();
const forger = await startForgingProvider({ clientId: 'us' });
const github = await startGitHub({ clientId: 'gh', clientSecret: 'gh secret/+', redirectUri: () => `${platform.url}/auth/oauth/github/callback` });
const platform = await withPlatform({
  env: {
    OIDC_CLIENT_ID: 'tollgate', OIDC_CLIENT_SECRET: 'a secret: with/odd+characters', OIDC_ISSUER: `http://127.0.0.1:${port}`,
    // In the place of Google stands whoever answers for this issuer.
    GOOGLE_CLIENT_ID: 'us', GOOGLE_CLIENT_SECRET: 'secret', GOOGLE_ISSUER: forger.issuer,
    GITHUB_CLIENT_ID: 'gh', GITHUB_CLIENT_SECRET: 'gh secret/+', GITHUB_BASE_URL: github.url, GITHUB_API_BASE_URL: `${github.url}/api`,
  },
});
const openid = await startOpenIdProvider({
  port,
  clients: [{ client_id: 'tollgate', client_secret: 'a secret: with/odd+characters', redirect_uris: [`${platform.url}/auth/oauth/oidc/callback`] }],
});

/** Begins a sign-in; answers where the browser is sent. */
async function start(browser, provider, query = '') {
  const answer = await browser.send(`${platform.url}/auth/oauth/${provider}/start${query}`);
  assert.equal(answer.status, 302, answer.text);
  return answer.location;
}
/** A whole sign-in at the certified provider. */
async function signIn(person, { browser = new Browser(), query } = {}) {
  return browser.send(await openid.signIn(browser, await start(browser, 'oidc', query), person));
}
/** One at the forging provider. */
async function signInAtForger(person, otherwise, browser = new Browser()) {
  return browser.send(forger.signIn(await start(browser, 'google'), person, otherwise));
}
const someone = (more) => {
  const email = freshEmail();
  return { sub: createHash('sha256').update(email).digest('hex').slice(0, 20), email, email_verified: true, ...more };
};

test('who begins sign-ins without end waits, and others do not', async () => {
  const start = (address) => fetch(`${platform.url}/auth/oauth/oidc/start`, { redirect: 'manual', headers: { 'x-dev-address': address } });
  const answers = [];
  for (let n = 0; n < 62; n += 31) answers.push(...(await Promise.all(Array.from({ length: 31 }, () => start('10.81.1.1')))));
  const statuses = answers.map(({ status }) => status);
  assert.ok(statuses.filter((status) => status === 302).length <= 61, 'sixty, and one more for ten seconds');
  const refused = answers.find(({ status }) => status === 429);
  assert.ok(refused, String(statuses));
  assert.equal((await refused.json()).code, 'rate_limited');
  assert.match(refused.headers.get('retry-after'), /^\d+$/);
  assert.equal((await start('10.81.1.2')).status, 302);
});

test('a new person gets an account with a trial, and the next time the same one', async () => {
  const ada = someone({ name: 'Ada' });
  const first = await signIn(ada);
  assert.equal(first.status, 201, first.text);
  assert.equal(first.headers.get('cache-control'), 'no-store');
  const { user, tenant, access_token, refresh_token, token_type, expires_in } = first.data;
  assert.deepEqual([user.email, user.email_verified, user.name, user.role, token_type, expires_in], [ada.email, true, 'Ada', 'owner', 'Bearer', 900]);
  assert.equal(tenant.id, user.tenant_id);
  assert.equal((await get(platform, '/user/trial-status', { token: access_token })).data.status, 'trialing');
  assert.equal((await chat(platform, access_token)).status, 200);
  assert.equal((await post(platform, '/auth/refresh', { refresh_token })).status, 200);

  const second = await signIn(ada);
  assert.equal(second.status, 200, second.text);
  assert.equal(second.data.user.id, user.id);

  const { data } = await get(platform, '/auth/identities', { token: access_token });
  assert.deepEqual(data.data.map(({ provider, issuer, email }) => ({ provider, issuer, email })), [{ provider: 'oidc', issuer: openid.issuer, email: ada.email }]);
});

test('the browser is sent off with PKCE, a state and a nonce, none of them used twice, and a cookie that scripts cannot read', async () => {
  const seen = [];
  for (let n = 0; n < 2; n++) {
    const answer = await new Browser().send(`${platform.url}/auth/oauth/oidc/start`);
    const query = new URL(answer.location).searchParams;
    assert.deepEqual([query.get('response_type'), query.get('client_id'), query.get('code_challenge_method'), query.get('redirect_uri')], ['code', 'tollgate', 'S256', `${platform.url}/auth/oauth/oidc/callback`]);
    for (const name of ['state', 'nonce', 'code_challenge']) assert.match(query.get(name), /^[\w-]{43}$/);
    seen.push(query.get('state'), query.get('nonce'), query.get('code_challenge'));
    assert.match(answer.headers.get('set-cookie'), /^tollgate_flow=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);
  }
  assert.equal(new Set(seen).size, seen.length);
});

test('a wrong state, no state, and a state of another browser are refused', async () => {
  const browser = new Browser();
  const callback = await openid.signIn(browser, await start(browser, 'oidc'), someone());
  const changed = new URL(callback);
  changed.searchParams.set('state', 'A'.repeat(43));
  assertProblem(await browser.send(changed), 401, 'sign_in_refused');
  changed.searchParams.delete('state');
  assertProblem(await browser.send(changed), 401, 'sign_in_refused');
  // A victim's browser: without a cookie, and with one of its own.
  assertProblem(await new Browser().send(callback), 401, 'sign_in_refused');
  const victim = new Browser();
  await start(victim, 'oidc');
  assertProblem(await victim.send(callback), 401, 'sign_in_refused');
  // None of that has used the sign-in up for whom it belongs to.
  assert.equal((await browser.send(callback)).status, 201);
});

test('a callback that is replayed is refused, also when both come at once', async () => {
  const browser = new Browser();
  const callback = await openid.signIn(browser, await start(browser, 'oidc'), someone());
  const both = await Promise.all([browser.send(callback), browser.send(callback)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 401]);
  assertProblem(await browser.send(callback), 401, 'sign_in_refused');
});

test('a code of another sign-in is refused by the provider: it belongs to another verifier', async () => {
  const [one, other] = [new Browser(), new Browser()];
  const stolen = new URL(await openid.signIn(one, await start(one, 'oidc'), someone()));
  const own = new URL(await openid.signIn(other, await start(other, 'oidc'), someone()));
  own.searchParams.set('code', stolen.searchParams.get('code'));
  const problem = assertProblem(await other.send(own), 401, 'sign_in_refused');
  assert.match(problem.detail, /did not take the code/);
});

test('a sign-in that takes longer than ten minutes is over', async () => {
  const browser = new Browser();
  const callback = forger.signIn(await start(browser, 'google'), someone());
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '601' } });
  assertProblem(await browser.send(callback), 401, 'sign_in_refused');
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '0' } });
});

test('a provider that says no is repeated by its code alone', async () => {
  const answer = await signIn({ refuses: true });
  const problem = assertProblem(answer, 401, 'sign_in_refused');
  assert.match(problem.detail, /access_denied/);
  assert.ok(!answer.text.includes('<b>'));
});

test('two tabs of one browser do not disturb each other', async () => {
  const browser = new Browser();
  const [first, second] = [await start(browser, 'google'), await start(browser, 'google')];
  assert.equal((await browser.send(forger.signIn(second, someone()))).status, 201);
  assert.equal((await browser.send(forger.signIn(first, someone()))).status, 201);
});

const HOUR = 3600;
const now = () => Math.floor(Date.now() / 1000);
/** What a forged token differs in, and what is said about it. */
const FORGED = {
  'a wrong nonce': [({ claims, sign }) => sign({ ...claims, nonce: 'another' }), /another sign-in/],
  'no nonce': [({ claims, sign }) => sign({ ...claims, nonce: undefined }), /another sign-in/],
  'an expired one': [({ claims, sign }) => sign({ ...claims, iat: now() - 2 * HOUR, exp: now() - HOUR }), /expired/],
  'one from the future': [({ claims, sign }) => sign({ ...claims, iat: now() + HOUR, exp: now() + 2 * HOUR }), /not good yet/],
  'one without an end': [({ claims, sign }) => sign({ ...claims, exp: undefined }), /expired/],
  'one for another client': [({ claims, sign }) => sign({ ...claims, aud: 'them' }), /another client/],
  'one for us and another': [({ claims, sign }) => sign({ ...claims, aud: ['us', 'them'] }), /another client/],
  'one of another issuer': [({ claims, sign }) => sign({ ...claims, iss: openid.issuer }), /another issuer/],
  'one of nobody': [({ claims, sign }) => sign({ ...claims, sub: '' }), /names nobody/],
  'alg none': [({ claims, forge }) => forge.none(claims), /not signed/],
  'HS256 with the public key': [({ claims, forge }) => forge.hs256(claims), /not signed/],
  'an unknown key': [({ claims, forge }) => forge.otherKey(claims, 'unknown'), /No key/],
  'another key under a known name': [({ claims, forge }) => forge.otherKey(claims, 'known'), /signature/],
  'another body under a good signature': [({ claims, sign }) => {
    const [header, , signature] = sign(claims).split('.');
    return `${header}.${Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url')}.${signature}`;
  }, /signature/],
  'a critical extension': [({ claims, sign }) => sign(claims, { crit: ['x'], x: 1 }), /cannot be read/],
  'no token at all': [() => 'x', /cannot be read/],
};
for (const [what, [token, said]] of Object.entries(FORGED)) {
  test(`a forged ID token is refused: ${what}`, async () => {
    const person = someone();
    forger.token = token;
    const problem = assertProblem(await signInAtForger(person), 401, 'sign_in_refused');
    assert.match(problem.detail, said);
    forger.token = forger.honest;
    // It has made no account.
    assert.equal((await signInAtForger(person)).status, 201);
  });
}

test('an honest token of the same provider is taken, keys that were changed are fetched anew', async () => {
  const keys = forger.seen.keys;
  assert.equal((await signInAtForger(someone())).status, 201);
  assert.equal(forger.seen.keys, keys, 'the keys are remembered');
  const { form, authorization } = forger.seen.tokens.at(-1);
  assert.equal(authorization, `Basic ${Buffer.from('us:secret').toString('base64')}`);
  assert.match(form.code_verifier, /^[\w-]{43}$/);
});

test('a mixed-up issuer is refused: another name, no name, and an answer at another provider’s callback', async () => {
  for (const iss of [openid.issuer, `${forger.issuer}/`, undefined]) {
    const problem = assertProblem(await signInAtForger(someone(), { iss }), 401, 'sign_in_refused');
    assert.match(problem.detail, /Another provider answered/);
  }
  const tokens = forger.seen.tokens.length;
  const browser = new Browser();
  const callback = forger.signIn(await start(browser, 'google'), someone());
  assertProblem(await browser.send(callback.replace('/google/', '/oidc/')), 401, 'sign_in_refused');
  assert.equal(forger.seen.tokens.length, tokens, 'no code was given to anybody');
});

test('a discovery document of another issuer, one that leads elsewhere, a redirect and a flood are not followed', async () => {
  // Begin anew each time: what was found good is remembered by the isolate.
  const starts = async () => new Browser().send(`${platform.url}/auth/oauth/google/start`);
  for (const [discovery, instead] of [
    [{ issuer: openid.issuer }],
    [{ token_endpoint: 'file:///etc/passwd' }],
    [{ jwks_uri: 'http://user@127.0.0.1/keys' }],
    [{}, (_, response) => response.writeHead(302, { location: `${openid.issuer}/.well-known/openid-configuration` }).end()],
    [{}, (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(' '.repeat(300 * 1024) + '{}')],
    [{}, (_, response) => response.writeHead(500).end('the inside of somebody')],
  ]) {
    await platform.restart();
    Object.assign(forger, { discovery, instead: instead && ((...what) => (instead(...what), true)) });
    const problem = assertProblem(await starts(), 503, 'dependency_unavailable');
    assert.equal(problem.dependency, 'google');
  }
  Object.assign(forger, { discovery: {}, instead: undefined });
  assert.equal((await starts()).status, 302);
});

test('a verified address leads to the account that has confirmed it, and the password stays good', async () => {
  const user = await register(platform);
  const [mail] = await waitForMails(platform, user.email, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(mail) }, { token: user.access_token })).status, 204);
  const answer = await signIn({ ...someone(), email: user.email });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.data.user.id, user.user.id);
  assert.equal((await get(platform, '/user/profile', { token: user.access_token })).status, 200);
  assert.equal((await post(platform, '/auth/login', { email: user.email, password: PASSWORD })).status, 200);
});

test('an address that the provider does not vouch for opens no account that is there', async () => {
  const user = await register(platform);
  for (const email_verified of [false, undefined, 'yes']) {
    assertProblem(await signInAtForger({ ...someone(), email: user.email, email_verified }), 409, 'email_not_vouched_for');
  }
  assert.deepEqual((await get(platform, '/auth/identities', { token: user.access_token })).data.data, []);
});

test('an account that somebody made with another’s address goes to the owner of the address, and its maker is out', async () => {
  const squatter = await register(platform);
  const key = (await post(platform, '/user/api-keys', { name: 'kept', scopes: ['chat'] }, { token: squatter.access_token })).data.secret;
  assert.equal((await chat(platform, key)).status, 200);
  const owner = await signIn({ ...someone(), email: squatter.email });
  assert.equal(owner.status, 200, owner.text);
  assert.deepEqual([owner.data.user.id, owner.data.user.email_verified], [squatter.user.id, true]);
  // What the maker knew or held opens nothing any more.
  assertProblem(await post(platform, '/auth/login', { email: squatter.email, password: PASSWORD }), 401, 'invalid_credentials');
  assertProblem(await get(platform, '/user/profile', { token: squatter.access_token }), 401, 'session_revoked');
  assertProblem(await chat(platform, squatter.access_token), 401, 'session_revoked');
  assertProblem(await post(platform, '/auth/refresh', { refresh_token: squatter.refresh_token }), 401);
  assertProblem(await chat(platform, key), 401);
  assert.equal((await chat(platform, owner.data.access_token)).status, 200);
});

test('a new account whose address nobody vouches for is mailed to, and goes to who proves to own it', async () => {
  const person = someone({ email_verified: false });
  const made = await signInAtForger(person);
  assert.equal(made.status, 201, made.text);
  assert.equal(made.data.user.email_verified, false);
  await waitForMails(platform, person.email, 'verify_email');
  const owner = await signIn({ ...someone(), email: person.email });
  assert.equal(owner.data.user.id, made.data.user.id);
  // The link of whoever made it is gone with everything else of theirs.
  assertProblem(await signInAtForger(person), 409, 'email_not_vouched_for');
  assertProblem(await get(platform, '/user/profile', { token: made.data.access_token }), 401, 'session_revoked');
});

test('without an address there is no account', async () => {
  assertProblem(await signInAtForger({ sub: 'without', email: undefined }), 401, 'sign_in_refused');
});

test('a wrong password at an account without one takes as long as anywhere', async () => {
  const person = someone();
  await signIn(person);
  const other = await register(platform);
  const time = async (email) => {
    const times = [];
    for (let n = 0; n < 4; n++) {
      const began = performance.now();
      assertProblem(await post(platform, '/auth/login', { email, password: 'not the password at all' }), 401, 'invalid_credentials');
      times.push(performance.now() - began);
    }
    return Math.min(...times);
  };
  const [without, having] = [await time(person.email), await time(other.email)];
  assert.ok(without > having / 2 && without < having * 2, `${without} ms and ${having} ms`);
});

test('the last way to sign in stays; with a password it can go', async () => {
  const person = someone();
  const { data: me } = await signIn(person);
  const token = me.access_token;
  const [identity] = (await get(platform, '/auth/identities', { token })).data.data;
  assertProblem(await del(platform, `/auth/identities/${identity.id}`, { token }), 409, 'last_sign_in');
  await post(platform, '/auth/forgot-password', { email: person.email });
  const [mail] = await waitForMails(platform, person.email, 'reset_password');
  assert.equal((await post(platform, '/auth/reset-password', { token: tokenOf(mail), password: PASSWORD })).status, 204);
  const { data: again } = await post(platform, '/auth/login', { email: person.email, password: PASSWORD });
  const stranger = await register(platform);
  assertProblem(await del(platform, `/auth/identities/${identity.id}`, { token: stranger.access_token }), 404);
  assert.equal((await del(platform, `/auth/identities/${identity.id}`, { token: again.access_token })).status, 204);
  assertProblem(await del(platform, `/auth/identities/${identity.id}`, { token: again.access_token }), 404);
  assert.deepEqual((await get(platform, '/auth/identities', { token: again.access_token })).data.data, []);
});

test('GitHub: the number of the user counts, and the primary address when it is verified', async () => {
  const [email, later] = [freshEmail(), freshEmail()];
  const octocat = { id: 583_231, login: 'octocat', emails: [{ email: freshEmail(), primary: false, verified: true }, { email, primary: true, verified: true }] };
  const at = async (person, browser = new Browser()) => browser.send(github.signIn(await start(browser, 'github'), person));
  const made = await at(octocat);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.data.user.email, made.data.user.email_verified, made.data.user.name], [email, true, 'octocat']);
  const again = await at({ ...octocat, login: 'renamed', emails: [{ email: later, primary: true, verified: true }] });
  assert.deepEqual([again.status, again.data.user.id], [200, made.data.user.id]);
  // Whoever gets the old login is somebody else.
  assert.equal((await at({ id: 7, login: 'octocat', emails: [{ email: freshEmail(), primary: true, verified: true }] })).status, 201);
  const user = await register(platform);
  assertProblem(await at({ id: 8, login: 'x', emails: [{ email: user.email, primary: true, verified: false }] }), 409, 'email_not_vouched_for');
  assertProblem(await at({ id: 9, login: 'y', emails: [] }), 401, 'sign_in_refused');
  assert.deepEqual(github.refusals, []);
  // A code that another verifier belongs to.
  const [one, other] = [new Browser(), new Browser()];
  const stolen = new URL(github.signIn(await start(one, 'github'), octocat));
  const own = new URL(github.signIn(await start(other, 'github'), octocat));
  own.searchParams.set('code', stolen.searchParams.get('code'));
  assertProblem(await other.send(own), 401, 'sign_in_refused');
  assert.deepEqual(github.refusals, ['bad_verification_code']);
});

test('a page gets a code that is good once, for a minute, in the browser that signed in', async () => {
  const browser = new Browser();
  const back = `${platform.url}/signed-in?tab=1`;
  const answer = await signIn(someone(), { browser, query: `?return_to=${encodeURIComponent(back)}` });
  assert.equal(answer.status, 303, answer.text);
  assert.ok(answer.location.startsWith(`${back}&code=tgc_`), answer.location);
  const body = JSON.stringify({ code: new URL(answer.location).searchParams.get('code') });
  const exchange = (who) => who.send(`${platform.url}/auth/oauth/token`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  assertProblem(await exchange(new Browser()), 401, 'sign_in_refused');
  const both = await Promise.all([exchange(browser), exchange(browser)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 401]);
  const { data } = both.find(({ status }) => status === 201);
  assert.equal((await get(platform, '/user/profile', { token: data.access_token })).status, 200);
  assertProblem(await exchange(browser), 401, 'sign_in_refused');
  assertProblem(await post(platform, '/auth/oauth/token', { code: 'tgc_x' }), 401, 'sign_in_refused');
});

test('a page is told why there is no sign-in, and a browser is sent nowhere else', async () => {
  const browser = new Browser();
  const answer = await signIn({ refuses: true }, { browser, query: `?return_to=${encodeURIComponent(`${platform.url}/in`)}` });
  assert.equal(answer.status, 303);
  const query = new URL(answer.location).searchParams;
  assert.deepEqual([query.get('error'), query.get('code')], ['sign_in_refused', null]);
  for (const other of ['https://evil.example/', '//evil.example/', `${platform.url}@evil.example/`, `${platform.url}.evil.example/`, '/relative', 'javascript:alert(1)']) {
    assertProblem(await new Browser().send(`${platform.url}/auth/oauth/oidc/start?return_to=${encodeURIComponent(other)}`), 400, 'bad_request');
  }
  // A page that is being developed is of another origin: it has the code alone.
  const local = await signIn(someone(), { query: `?return_to=${encodeURIComponent('http://localhost:5173/in')}` });
  const { data } = await post(platform, '/auth/oauth/token', { code: new URL(local.location).searchParams.get('code') });
  assert.equal(data.token_type, 'Bearer');
});

test('a code of a page dies of age', async () => {
  const browser = new Browser();
  const answer = await signIn(someone(), { browser, query: `?return_to=${encodeURIComponent(`${platform.url}/in`)}` });
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '61' } });
  const body = JSON.stringify({ code: new URL(answer.location).searchParams.get('code') });
  assertProblem(await browser.send(`${platform.url}/auth/oauth/token`, { method: 'POST', body, headers: { 'content-type': 'application/json' } }), 401, 'sign_in_refused');
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '0' } });
});

test('what is stored of a sign-in opens nothing, and what it did is in the audit log', async () => {
  const person = someone();
  const { data: me } = await signIn(person);
  const browser = new Browser();
  const location = await start(browser, 'oidc');
  const answer = await signIn(person, { browser, query: `?return_to=${encodeURIComponent(`${platform.url}/in`)}` });
  const secrets = [new URL(location).searchParams.get('state'), browser.cookies(platform.url).get('tollgate_flow'), new URL(answer.location).searchParams.get('code')];
  let rows;
  await platform.restart({
    whileStopped: () => {
      rows = withDatabase(platform.stateDir, (database) => JSON.stringify([database.prepare('SELECT * FROM sign_in_flows').all(), database.prepare('SELECT * FROM sign_in_codes').all()]));
    },
  });
  for (const secret of secrets) assert.ok(secret && !rows.includes(secret), secret);
  const token = me.access_token;
  await post(platform, '/auth/forgot-password', { email: person.email });
  const [mail] = await waitForMails(platform, person.email, 'reset_password');
  await post(platform, '/auth/reset-password', { token: tokenOf(mail), password: PASSWORD });
  const { data: again } = await post(platform, '/auth/login', { email: person.email, password: PASSWORD });
  const [identity] = (await get(platform, '/auth/identities', { token: again.access_token })).data.data;
  assert.equal((await del(platform, `/auth/identities/${identity.id}`, { token: again.access_token })).status, 204);
  assertProblem(await get(platform, '/auth/identities', { token }), 401, 'session_revoked');
  const entries = await auditEntries(platform, me.tenant.id);
  const through = (action) => entries.filter((entry) => entry.action === action).map(({ body }) => body.details?.through ?? body.with?.through ?? JSON.stringify(body).match(/"through":"(\w+)"/)?.[1]);
  assert.deepEqual(through('account.register'), ['oidc']);
  assert.deepEqual(through('account.sign_in'), ['oidc', undefined]);
  assert.deepEqual(through('account.identity_unlink'), ['oidc']);
});

test('a provider that is not configured, or unknown, is a problem that says so', async () => {
  assertProblem(await get(platform, '/auth/oauth/facebook/start'), 404, 'not_found');
  await platform.restart({ env: { GITHUB_CLIENT_ID: '' } });
  const problem = assertProblem(await get(platform, '/auth/oauth/github/start'), 404, 'provider_not_configured');
  assert.match(problem.detail, /GITHUB_CLIENT_ID/);
  assertProblem(await get(platform, '/auth/oauth/github/callback?state=x&code=y'), 404, 'provider_not_configured');
});

test('a provider that cannot be reached is named', async () => {
  await platform.restart({ env: { OIDC_ISSUER: `http://127.0.0.1:${await freePort()}` } });
  assert.equal(assertProblem(await get(platform, '/auth/oauth/oidc/start'), 503, 'dependency_unavailable').dependency, 'oidc');
});

test('nothing panicked, and no secret stands in the log', () => {
  platform.assertNoPanic();
  for (const secret of ['a secret: with/odd+characters', 'gh secret/+', 'tgc_', 'eyJ']) {
    assert.ok(!platform.log.some((line) => line.includes(secret)), `the log has ${secret}`);
  }
});
