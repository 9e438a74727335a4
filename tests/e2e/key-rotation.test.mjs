// Changing the signing key, step by step as docs/OPERATIONS.md has it: nobody who is signed in notices, and an old key that was taken out opens
// nothing any more. The steps build on each other, so they are the parts of one test.
import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEnv } from 'node:util';
import { generateKeys } from '../../tools/settings.mjs';
import { assertProblem, call, chat, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));
const headerOf = (token) => decode(token.split('.')[0]);
const kidOf = (token) => headerOf(token).kid;

/** A token with these claims that names one key and is signed with another, or with the same. */
function minted(token, { kid, with: jwk }) {
  const [head, claims] = token.split('.');
  const text = `${Buffer.from(JSON.stringify({ ...decode(head), kid })).toString('base64url')}.${claims}`;
  return `${text}.${sign(null, Buffer.from(text), createPrivateKey({ key: jwk, format: 'jwk' })).toString('base64url')}`;
}

/** A key pair as a deployment has it: the private JWK, its public half, and both as settings. */
function pair({ SIGNING_KEY, JWKS }) {
  const jwk = JSON.parse(SIGNING_KEY);
  const [publicJwk] = JSON.parse(JWKS).keys;
  assert.equal(publicJwk.d, undefined, 'the public half has no private part');
  return { kid: jwk.kid, jwk, publicJwk, SIGNING_KEY };
}
const jwks = (...pairs) => JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) });

// Each function that verifies, by one of its addresses: each reads the key set for itself.
const VERIFIERS = {
  user: (platform, token) => get(platform, '/user/profile', { token }),
  usage: (platform, token) => get(platform, '/usage/quota', { token }),
  chat: (platform, token) => chat(platform, token),
  'chat, without the meter': (platform, token) => get(platform, '/v1/models', { token }),
};
async function assertGood(platform, token, what) {
  for (const [name, ask] of Object.entries(VERIFIERS)) {
    // Twice: the second time it is remembered.
    for (const time of ['first', 'second']) {
      const answer = await ask(platform, token);
      assert.equal(answer.status, 200, `${what}, ${name}, ${time} time: ${answer.text}`);
    }
  }
}
async function assertRefused(platform, token) {
  for (const ask of Object.values(VERIFIERS)) assertProblem(await ask(platform, token), 401, 'unauthorized');
}
async function publishedKids(platform) {
  const { status, headers, data } = await get(platform, '/auth/.well-known/jwks.json');
  assert.equal(status, 200);
  assert.match(headers.get('content-type'), /^application\/jwk-set\+json/);
  for (const key of data.keys) assert.deepEqual([key.kty, key.crv, key.d], ['OKP', 'Ed25519', undefined], 'public halves only');
  return data.keys.map(({ kid }) => kid);
}
const login = async (platform, user) => {
  const { status, data, text } = await post(platform, '/auth/login', { email: user.email, password: user.password });
  assert.equal(status, 200, text);
  return data;
};

test('a signing key rolls: both keys verify while both are in the set, and the old one ends when it is taken out', async (t) => {
  const platform = await withPlatform({ test: t });
  const old = pair(parseEnv(readFileSync(join(platform.stateDir, 'secrets.env'), 'utf8')));
  const next = pair(generateKeys());
  const user = await register(platform);
  const signedByOld = user.access_token;
  let sinceOld = user.refresh_token;
  let signedByNext;

  await t.test('before: one key, and a token says which', async () => {
    assert.deepEqual(await publishedKids(platform), [old.kid]);
    assert.equal(kidOf(signedByOld), old.kid);
    await assertGood(platform, signedByOld, 'the only key');
    await assertRefused(platform, minted(signedByOld, { kid: next.kid, with: next.jwk }));
  });

  await t.test('step one: both public keys are in the set, the old one signs', async () => {
    await platform.restart({ env: { JWKS: jwks(old, next) } });
    assert.deepEqual(await publishedKids(platform), [old.kid, next.kid]);
    assert.equal(kidOf((await login(platform, user)).access_token), old.kid);
    await assertGood(platform, signedByOld, 'the key that signs');
    await assertGood(platform, minted(signedByOld, { kid: next.kid, with: next.jwk }), 'the key that will sign');
  });

  await t.test('step two: the new one signs, and tokens of the old one go on', async () => {
    await platform.restart({ env: { SIGNING_KEY: next.SIGNING_KEY, JWKS: jwks(old, next) } });
    assert.deepEqual(await publishedKids(platform), [old.kid, next.kid]);
    signedByNext = (await login(platform, user)).access_token;
    assert.equal(kidOf(signedByNext), next.kid);
    await assertGood(platform, signedByNext, 'a new sign-in');
    await assertGood(platform, signedByOld, 'a token from before');
    const newcomer = await register(platform);
    assert.equal(kidOf(newcomer.access_token), next.kid);
    await assertGood(platform, newcomer.access_token, 'a new user');
  });

  await t.test('a session from before is refreshed with a token of the new key', async () => {
    const { status, data, text } = await post(platform, '/auth/refresh', { refresh_token: sinceOld });
    assert.equal(status, 200, text);
    assert.equal(kidOf(data.access_token), next.kid);
    await assertGood(platform, data.access_token, 'a refreshed session');
    sinceOld = data.refresh_token;
  });

  await t.test('a token is held against the key it names, not against any key of the set', async () => {
    await assertRefused(platform, minted(signedByOld, { kid: old.kid, with: next.jwk }));
    await assertRefused(platform, minted(signedByNext, { kid: next.kid, with: old.jwk }));
    const stranger = pair(generateKeys());
    for (const kid of [old.kid, next.kid, stranger.kid, undefined]) await assertRefused(platform, minted(signedByOld, { kid, with: stranger.jwk }));
  });

  await t.test('the order of the set does not matter, nor keys of other kinds in it', async () => {
    const others = [{ kty: 'RSA', kid: 'of-another-kind', n: 'AQAB', e: 'AQAB' }, { kty: 'OKP', crv: 'Ed25519', x: next.publicJwk.x }];
    await platform.restart({ env: { JWKS: JSON.stringify({ keys: [...others, next.publicJwk, old.publicJwk] }) } });
    await assertGood(platform, signedByOld, 'the old key, last');
    await assertGood(platform, signedByNext, 'the new key, in the middle');
  });

  await t.test('step three: the old key is taken out, its tokens open nothing, and all sessions go on', async () => {
    await platform.restart({ env: { JWKS: jwks(next) } });
    assert.deepEqual(await publishedKids(platform), [next.kid]);
    await assertRefused(platform, signedByOld);
    await assertGood(platform, signedByNext, 'the key that signs');
    const { status, data, text } = await post(platform, '/auth/refresh', { refresh_token: sinceOld });
    assert.equal(status, 200, text);
    await assertGood(platform, data.access_token, 'a session that began under the old key');
    assert.equal((await get(platform, '/user/profile', { token: data.access_token })).data.id, user.user.id);
  });

  await t.test('an ended session stays ended over the change of keys', async () => {
    const session = await login(platform, user);
    assert.equal((await call(platform, 'POST', '/auth/logout', { body: { refresh_token: session.refresh_token } })).status, 204);
    await platform.restart({ env: { JWKS: jwks(old, next) } });
    assertProblem(await get(platform, '/user/profile', { token: session.access_token }), 401, 'session_revoked');
    assertProblem(await chat(platform, session.access_token), 401, 'session_revoked');
    await assertGood(platform, signedByOld, 'the old key, put back');
  });

  platform.assertNoPanic();
});

test('a new signing key alone, without the old one in a set, ends the old tokens at once', async (t) => {
  const platform = await withPlatform({ test: t });
  const user = await register(platform);
  const next = pair(generateKeys());
  await platform.restart({ env: { SIGNING_KEY: next.SIGNING_KEY } });
  assert.deepEqual(await publishedKids(platform), [next.kid]);
  await assertRefused(platform, user.access_token);
  await assertGood(platform, (await login(platform, user)).access_token, 'a new sign-in');
  // The key in the state folder is as it was: without the setting it signs again.
  await platform.restart({ env: { SIGNING_KEY: '' } });
  await assertGood(platform, user.access_token, 'the key of the state folder');
  platform.assertNoPanic();
});
