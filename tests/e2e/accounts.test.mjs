// Registration, sign-in, sessions and the profile.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, chat, freshEmail, get, PASSWORD, patch, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();

const UUID_V7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const decode = (token) => token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));

/** Asserts the answer of a registration or a sign-in, member by member. */
function assertSignedIn(body, { email, name = null }) {
  assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'refresh_token', 'tenant', 'token_type', 'user']);
  assert.deepEqual(Object.keys(body.user).sort(), ['created_at', 'email', 'email_verified', 'id', 'name', 'role', 'tenant_id']);
  assert.match(body.user.id, new RegExp(`^usr_${UUID_V7}$`));
  assert.match(body.tenant.id, new RegExp(`^ten_${UUID_V7}$`));
  assert.equal(body.user.tenant_id, body.tenant.id);
  assert.equal(body.user.email, email);
  assert.equal(body.user.email_verified, false);
  assert.equal(body.user.name, name);
  assert.equal(body.user.role, 'owner');
  assert.match(body.user.created_at, INSTANT);
  assert.ok(Math.abs(Date.parse(body.user.created_at) - Date.now()) < 60_000);
  assert.equal(body.token_type, 'Bearer');
  assert.equal(body.expires_in, 900);
  assert.equal(body.access_token.split('.').length, 3);
  assert.ok(body.refresh_token.length > 40);
  assert.ok(!JSON.stringify(body).includes('argon2'), 'no password hash');
}

/** Every kind of call an access token opens. */
const calls = {
  'GET /user/profile': (token) => get(platform, '/user/profile', { token }),
  'PATCH /user/profile': (token) => patch(platform, '/user/profile', { name: 'Somebody' }, { token }),
  'GET /user/trial-status': (token) => get(platform, '/user/trial-status', { token }),
  'GET /usage/quota': (token) => get(platform, '/usage/quota?fresh=true', { token }),
  'GET /usage/logs': (token) => get(platform, '/usage/logs', { token }),
  'POST /v1/chat/completions': (token) => chat(platform, token),
};
async function assertSessionDead(token) {
  for (const [name, make] of Object.entries(calls)) {
    const answer = await make(token);
    assert.equal(answer.status, 401, `${name} answers ${answer.status}`);
    assertProblem(answer, 401, 'session_revoked');
  }
}

test('a registration answers who one is, and tokens that work at once', async () => {
  const email = freshEmail();
  const answer = await post(platform, '/auth/register', { email, password: PASSWORD, name: 'Ada Lovelace' });
  assert.equal(answer.status, 201, answer.text);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  assertSignedIn(answer.data, { email, name: 'Ada Lovelace' });
  const profile = await get(platform, '/user/profile', { token: answer.data.access_token });
  assert.deepEqual(profile.data, answer.data.user);
  const trial = await get(platform, '/user/trial-status', { token: answer.data.access_token });
  assert.deepEqual([trial.data.status, trial.data.days_remaining], ['trialing', 7]);
  assert.match(trial.data.trial_ends_at, INSTANT);
  assert.equal(typeof trial.data.message, 'string');
  const quota = await get(platform, '/usage/quota?fresh=true', { token: answer.data.access_token });
  assert.deepEqual(
    quota.data.data.map(({ meter, limit, used, reserved, remaining, percent, warning }) => ({ meter, limit, used, reserved, remaining, percent, warning })),
    [
      { meter: 'requests', limit: 120, used: 0, reserved: 0, remaining: 120, percent: 0, warning: null },
      { meter: 'tokens', limit: 50_000, used: 0, reserved: 0, remaining: 50_000, percent: 0, warning: null },
    ],
  );
  assert.match(quota.data.as_of, INSTANT);
});

test('a sign-in answers the same, in any spelling of the address', async () => {
  const user = await register(platform, { email: `Mixed.${freshEmail()}` });
  for (const email of [user.email, user.email.toUpperCase(), ` ${user.email} `]) {
    const answer = await post(platform, '/auth/login', { email, password: PASSWORD });
    assert.equal(answer.status, 200, answer.text);
    assertSignedIn(answer.data, { email: user.email.toLowerCase() });
    assert.deepEqual(answer.data.user, user.user);
    assert.deepEqual(answer.data.tenant, user.tenant);
    assert.notEqual(answer.data.refresh_token, user.refresh_token);
  }
});

test('a wrong password and an unknown address get the same answer', async () => {
  const user = await register(platform);
  const seen = [];
  for (const body of [
    { email: user.email, password: 'a wrong and long password' },
    { email: freshEmail(), password: PASSWORD },
    { email: 'not an address', password: PASSWORD },
    { email: user.email, password: '' },
    { email: user.email, password: 'x'.repeat(100_000) },
  ]) {
    const answer = await post(platform, '/auth/login', body);
    const { request_id: requestId, ...problem } = assertProblem(answer, 401, 'invalid_credentials');
    assert.ok(requestId);
    const headers = Object.fromEntries([...answer.headers].filter(([name]) => !['x-request-id', 'date'].includes(name)));
    seen.push({ problem, headers });
  }
  for (const one of seen) assert.deepEqual(one, seen[0]);
});

test('an address can be registered once, whatever its case', async () => {
  const user = await register(platform);
  for (const email of [user.email, user.email.toUpperCase(), ` ${user.email}`]) {
    assertProblem(await post(platform, '/auth/register', { email, password: PASSWORD }), 409, 'email_taken');
  }
  // Of several at once, one.
  const email = freshEmail();
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(platform, '/auth/register', { email, password: PASSWORD })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409, 409, 409]);
  // The ones that lost left nothing behind that would hinder the one that won.
  assert.equal((await post(platform, '/auth/login', { email, password: PASSWORD })).status, 200);
});

test('every product has its trial', async () => {
  for (const [product, days, meters] of [['agent', 7, ['requests', 'tokens']], ['chat', 7, ['requests', 'tokens']], ['gmail', 14, ['emails']]]) {
    const { access_token: token } = await register(platform, { product });
    assert.equal((await get(platform, '/user/trial-status', { token })).data.days_remaining, days, product);
    const { data } = await get(platform, '/usage/quota?fresh=true', { token });
    assert.deepEqual(data.data.map(({ meter }) => meter), meters);
    assert.deepEqual([data.product, data.plan], [product, 'trial']);
  }
  const { access_token: token } = await register(platform, { product: 'gmail' });
  const problem = assertProblem(await chat(platform, token), 403, 'plan_lacks_feature');
  assert.match(problem.upgrade_url, /^http/);
});

test('what is wrong with a registration is named, field by field', async () => {
  const email = freshEmail();
  const good = { email, password: PASSWORD };
  for (const [input, fields] of [
    [{}, ['email']],
    [{ email }, ['password']],
    [{ ...good, email: 'nobody' }, ['email']],
    [{ ...good, email: 'a@b' }, ['email']],
    [{ ...good, email: `${'a'.repeat(65)}@example.com` }, ['email']],
    [{ ...good, email: 'a b@example.com' }, ['email']],
    [{ ...good, product: 'cars' }, ['product']],
    [{ ...good, name: 'x'.repeat(201) }, ['name']],
    [{ ...good, email: 'nobody', product: 'cars', name: 'x'.repeat(201) }, ['email', 'name', 'product']],
    [{ ...good, password: 'elevenchars' }, ['password']],
    [{ ...good, password: 'x'.repeat(129) }, ['password']],
    [{ ...good, password: 'aaaaaaaaaaaaaaaa' }, ['password']],
    [{ ...good, password: 'Password1234' }, ['password']],
    [{ ...good, password: 'qwertyuiop123' }, ['password']],
    [{ ...good, password: email }, ['password']],
    [{ ...good, password: email.toUpperCase() }, ['password']],
  ]) {
    const problem = assertProblem(await post(platform, '/auth/register', input), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map(({ field }) => field).sort(), fields, JSON.stringify(input));
    for (const { message } of problem.errors) assert.ok(message.length > 0);
    assert.ok(!JSON.stringify(problem).includes(input.password ?? PASSWORD) || input.password === email, 'the password is not repeated');
  }
  // All of these were refused: the address is still free. Length counts in characters, not in bytes.
  assert.equal((await post(platform, '/auth/register', { email, password: 'é🚧ü€ß漢字عربى!' })).status, 201);
  assert.equal((await post(platform, '/auth/login', { email, password: 'é🚧ü€ß漢字عربى!' })).status, 200);
});

test('a refresh answers a new pair, and the old refresh token is dead', async () => {
  const user = await register(platform);
  const answer = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.data).sort(), ['access_token', 'expires_in', 'refresh_token', 'token_type']);
  assert.notEqual(answer.data.refresh_token, user.refresh_token);
  assert.equal((await calls['GET /user/profile'](answer.data.access_token)).status, 200);
  assert.equal((await post(platform, '/auth/refresh', { refresh_token: answer.data.refresh_token })).status, 200, 'the new one works');
});

test('using a dead refresh token kills the session, within one request', async () => {
  const user = await register(platform);
  const other = await post(platform, '/auth/login', { email: user.email, password: PASSWORD });
  const { data: rotated } = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  assert.equal((await chat(platform, rotated.access_token)).status, 200);
  // A token is dead as soon as the one that replaced it was used; see sign-in.test.mjs for the grace before.
  const { data: latest } = await post(platform, '/auth/refresh', { refresh_token: rotated.refresh_token });

  assertProblem(await post(platform, '/auth/refresh', { refresh_token: user.refresh_token }), 401);
  for (const token of [latest.access_token, rotated.access_token, user.access_token]) await assertSessionDead(token);
  assertProblem(await post(platform, '/auth/refresh', { refresh_token: latest.refresh_token }), 401);

  // The user's other session knows nothing of it.
  for (const [name, make] of Object.entries(calls)) assert.equal((await make(other.data.access_token)).status, 200, name);
});

test('a revoked session stays revoked over a restart', async () => {
  const user = await register(platform);
  await post(platform, '/auth/logout', { refresh_token: user.refresh_token });
  await platform.restart();
  await assertSessionDead(user.access_token);
});

test('signing out ends the session within one request', async () => {
  const user = await register(platform);
  assert.equal((await chat(platform, user.access_token)).status, 200);
  const answer = await post(platform, '/auth/logout', { refresh_token: user.refresh_token });
  assert.equal(answer.status, 204);
  assert.equal(answer.text, '');
  assert.match(answer.headers.get('x-request-id'), /^req_/);
  await assertSessionDead(user.access_token);
  assertProblem(await post(platform, '/auth/refresh', { refresh_token: user.refresh_token }), 401);
  // The same answer for a session that is gone, and for a token that never was.
  for (const token of [user.refresh_token, 'tgr_nonsense', '']) assert.equal((await post(platform, '/auth/logout', { refresh_token: token })).status, 204, token);
  assert.equal((await post(platform, '/auth/login', { email: user.email, password: PASSWORD })).status, 200);
});

test('of many refreshes with a dead token at once, none succeeds', async () => {
  const user = await register(platform);
  const { data: next } = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  const { data: latest } = await post(platform, '/auth/refresh', { refresh_token: next.refresh_token });
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(platform, '/auth/refresh', { refresh_token: user.refresh_token })));
  for (const answer of answers) assertProblem(answer, 401);
  await assertSessionDead(latest.access_token);
  assertProblem(await post(platform, '/auth/refresh', { refresh_token: latest.refresh_token }), 401);
});

test('refresh tokens that were changed are refused and harm nobody', async () => {
  const [user, victim] = await Promise.all([register(platform), register(platform)]);
  const [tenant, session, secret] = user.refresh_token.split('.');
  const [victimTenant, victimSession] = victim.refresh_token.split('.');
  for (const token of [
    '',
    'tgr_',
    'x',
    user.access_token,
    `${tenant}.${session}`,
    `${tenant}.${session}.${secret}.x`,
    `${tenant}.${session}.${secret.slice(0, -2)}`,
    `${victimTenant}.${session}.${secret}`,
    `${tenant}.${victimSession}.${secret}`,
    user.refresh_token.toUpperCase(),
  ]) {
    assertProblem(await post(platform, '/auth/refresh', { refresh_token: token }), 401);
  }
  assert.equal((await calls['GET /user/profile'](user.access_token)).status, 200);
  assert.equal((await calls['GET /user/profile'](victim.access_token)).status, 200);
});

test('anybody can check an access token with the published keys', async () => {
  const user = await register(platform);
  const { status, data, headers } = await get(platform, '/auth/.well-known/jwks.json');
  assert.equal(status, 200);
  assert.match(headers.get('content-type'), /json/);
  const [header, claims] = decode(user.access_token);
  assert.equal(header.alg, 'EdDSA');
  const jwk = data.keys.find(({ kid }) => kid === header.kid);
  assert.deepEqual([jwk.kty, jwk.crv], ['OKP', 'Ed25519']);
  for (const key of data.keys) assert.equal(key.d, undefined, 'no private key');
  const [head, body, signature] = user.access_token.split('.');
  assert.ok(verify(null, Buffer.from(`${head}.${body}`), createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(signature, 'base64url')));
  assert.equal(claims.sub, user.user.id);
  assert.equal(claims.ten, user.tenant.id);
  assert.equal(claims.exp - claims.iat, user.expires_in);
  assert.ok(!JSON.stringify(claims).includes(user.email), 'no personal data in a token');
});

test('the profile is read and changed', async () => {
  const { access_token: token, user } = await register(platform, { name: 'Before' });
  const change = async (input) => {
    const answer = await patch(platform, '/user/profile', input, { token });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual((await get(platform, '/user/profile', { token })).data, answer.data, 'what is answered is what is stored');
    return answer.data;
  };
  assert.deepEqual(await change({ name: 'Grace' }), { ...user, name: 'Grace' });
  assert.equal((await change({})).name, 'Grace', 'left out is left alone');
  assert.equal((await change({ name: 'محمد 🚧 Ω' })).name, 'محمد 🚧 Ω');
  assert.equal((await change({ name: "Robert'); DROP TABLE users;--" })).name, "Robert'); DROP TABLE users;--");
  assert.equal((await change({ name: null })).name, null);
  for (const [input, field] of [
    [{ name: '' }, 'name'],
    [{ name: '   ' }, 'name'],
    [{ name: 'x'.repeat(201) }, 'name'],
    [{ name: 7 }, 'name'],
    [{ email: 'new@example.com' }, 'email'],
    [{ role: 'admin' }, 'role'],
    [{ tenant_id: 'ten_x' }, 'tenant_id'],
  ]) {
    const problem = assertProblem(await patch(platform, '/user/profile', input, { token }), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map((error) => error.field), [field], JSON.stringify(input));
  }
});

test('nobody sees anything of somebody else', async () => {
  const [first, second] = await Promise.all([register(platform), register(platform)]);
  await chat(platform, first.access_token);
  for (const path of ['/user/profile', '/usage/logs', '/usage/quota', `/usage/logs?user_id=${first.user.id}`, `/user/profile?id=${first.user.id}&tenant_id=${first.tenant.id}`]) {
    const { text, status } = await get(platform, path, { token: second.access_token, headers: { 'x-tenant-id': first.tenant.id } });
    assert.equal(status, 200);
    assert.ok(!text.includes(first.user.id) && !text.includes(first.tenant.id) && !text.includes(first.email), path);
  }
  assert.deepEqual((await get(platform, '/usage/logs', { token: second.access_token })).data, { data: [], next_cursor: null });
});

test('nothing panicked, and no secret stands in the log', () => {
  platform.assertNoPanic();
  const log = platform.log.join('\n');
  assert.doesNotMatch(log, /tgr_|eyJ|argon2id\$/);
  assert.ok(!log.includes(PASSWORD));
});
