// Attacks on access tokens: none opens anything, on any protected address.
import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parseEnv } from 'node:util';
import { assertProblem, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { rawRequest } from '../harness/raw.mjs';

const platform = await withPlatform();

const CHAT = JSON.stringify({ model: 'tollgate/extractive', messages: [{ role: 'user', content: 'Where is the toll paid?' }] });
/** Every address that asks who is calling. */
const PROTECTED = [
  ['GET', '/user/profile'],
  ['PATCH', '/user/profile', JSON.stringify({ name: 'Mallory' })],
  ['GET', '/user/trial-status'],
  ['GET', '/usage/quota'],
  ['GET', '/usage/quota?fresh=true'],
  ['GET', '/usage/logs'],
  ['POST', '/v1/chat/completions', CHAT],
  ['GET', '/v1/models'],
  ['GET', '/v1/models/tollgate/extractive'],
];

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

let user;
let victim;
let header;
let claims;
let signature;
let publicJwk;
/** The platform's own private key: a test may know it, to show what even it cannot make up. */
let ownKey;
before(async () => {
  [user, victim] = await Promise.all([register(platform), register(platform)]);
  const parts = user.access_token.split('.');
  header = decode(parts[0]);
  claims = decode(parts[1]);
  signature = parts[2];
  publicJwk = (await get(platform, '/auth/.well-known/jwks.json')).data.keys.find(({ kid }) => kid === header.kid);
  const { SIGNING_KEY } = parseEnv(readFileSync(join(platform.stateDir, 'secrets.env'), 'utf8'));
  ownKey = createPrivateKey({ key: JSON.parse(SIGNING_KEY), format: 'jwk' });
});

const signed = (head, body, key) => {
  const text = `${encode(head)}.${encode(body)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
};
const hmac = (head, body, secret) => {
  const text = `${encode(head)}.${encode(body)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};
const strangersKey = generateKeyPairSync('ed25519');
const now = () => Math.floor(Date.now() / 1000);

/** Name of an attack, and its headers. */
const ATTACKS = {
  'no Authorization header': () => [],
  'an empty header': () => [['Authorization', '']],
  'the scheme alone': () => [['Authorization', 'Bearer']],
  'an empty token': () => [['Authorization', 'Bearer ']],
  'another scheme': () => [['Authorization', `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}`]],
  'the token without a scheme': () => [['Authorization', user.access_token]],
  'nonsense': () => bearer('nonsense'),
  'dots': () => bearer('..'),
  'many dots': () => bearer('.'.repeat(500)),
  'an API key that does not exist': () => bearer('tg_live_0123456789abcdef0123456789abcdef'),
  'the refresh token': () => bearer(user.refresh_token),
  'a header that is no JSON': () => bearer(`${encode('{')}.${encode(claims)}.${signature}`),
  'claims that are no JSON': () => bearer(`${encode(header)}.${encode('nope')}.${signature}`),
  'no signature': () => bearer(`${encode(header)}.${encode(claims)}.`),
  'two parts': () => bearer(`${encode(header)}.${encode(claims)}`),
  'four parts': () => bearer(`${user.access_token}.${signature}`),
  'a short signature': () => bearer(`${encode(header)}.${encode(claims)}.AAAA`),
  'a signature of zeros': () => bearer(`${encode(header)}.${encode(claims)}.${Buffer.alloc(64).toString('base64url')}`),
  'a signature with its last bits flipped': () => bearer(`${user.access_token.slice(0, -6)}AAAAAA`),
  'alg none': () => bearer(`${encode({ ...header, alg: 'none' })}.${encode(claims)}.`),
  'alg None, signed as before': () => bearer(`${encode({ ...header, alg: 'None' })}.${encode(claims)}.${signature}`),
  'HS256 with the public key as its secret (x)': () => bearer(hmac({ ...header, alg: 'HS256' }, claims, Buffer.from(publicJwk.x, 'base64url'))),
  'HS256 with the public key as its secret (JWK text)': () => bearer(hmac({ ...header, alg: 'HS256' }, claims, JSON.stringify(publicJwk))),
  'HS256 with the public key as its secret (PEM)': () => bearer(hmac({ ...header, alg: 'HS256' }, claims, createPublicKey({ key: publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }))),
  'HS256 with an empty secret': () => bearer(hmac({ ...header, alg: 'HS256' }, claims, '')),
  'another Ed25519 key under our kid': () => bearer(signed(header, claims, strangersKey.privateKey)),
  'another key that comes along in the header': () => bearer(signed({ ...header, jwk: strangersKey.publicKey.export({ format: 'jwk' }) }, claims, strangersKey.privateKey)),
  'another key at an address in the header': () => bearer(signed({ ...header, jku: 'http://127.0.0.1:9/jwks.json', x5u: 'http://127.0.0.1:9/x' }, claims, strangersKey.privateKey)),
  'an unknown kid': () => bearer(signed({ ...header, kid: 'unknown' }, claims, strangersKey.privateKey)),
  'no kid': () => bearer(signed({ alg: 'EdDSA' }, claims, strangersKey.privateKey)),
  'a kid that is a path': () => bearer(hmac({ ...header, alg: 'HS256', kid: '../../../../dev/null' }, claims, '')),
  'a kid that is SQL': () => bearer(signed({ ...header, kid: "' OR 1=1 --" }, claims, strangersKey.privateKey)),
  'a kid that is not a string': () => bearer(signed({ ...header, kid: { x: 1 } }, claims, strangersKey.privateKey)),
  'a kid that names an object\'s prototype': () => bearer(signed({ ...header, kid: '__proto__' }, claims, strangersKey.privateKey)),
  'somebody else\'s id in the claims': () => bearer(`${encode(header)}.${encode({ ...claims, sub: victim.user.id })}.${signature}`),
  'somebody else\'s tenant in the claims': () => bearer(`${encode(header)}.${encode({ ...claims, ten: victim.tenant.id })}.${signature}`),
  'a longer life in the claims': () => bearer(`${encode(header)}.${encode({ ...claims, exp: claims.exp + 86_400 })}.${signature}`),
  'our key, but expired': () => bearer(signed(header, { ...claims, iat: now() - 7_200, exp: now() - 3_600 }, ownKey)),
  'our key, but not yet valid': () => bearer(signed(header, { ...claims, nbf: now() + 3_600 }, ownKey)),
  'our key, but issued in the future': () => bearer(signed(header, { ...claims, iat: now() + 3_600, exp: now() + 7_200 }, ownKey)),
  'our key, but for another audience': () => bearer(signed(header, { ...claims, aud: 'others' }, ownKey)),
  'our key, but without an end': () => bearer(signed(header, { ...claims, exp: undefined }, ownKey)),
  'our key, but an end that is no number': () => bearer(signed(header, { ...claims, exp: 'never' }, ownKey)),
  'our key, but an end beyond all numbers': () => bearer(signed(header, { ...claims, exp: 1e300 }, ownKey)),
  'our key, but a tenant that is no id': () => bearer(signed(header, { ...claims, ten: '../../x' }, ownKey)),
  'our key, but a user of another kind of id': () => bearer(signed(header, { ...claims, sub: claims.ten }, ownKey)),
  'our key, but a role that does not exist': () => bearer(signed(header, { ...claims, role: 'root' }, ownKey)),
  'our key, but claims that are a list': () => bearer(signed(header, [claims], ownKey)),
  'two good headers': () => [...bearer(user.access_token), ...bearer(victim.access_token)],
  'the same good header twice': () => [...bearer(user.access_token), ...bearer(user.access_token)],
  'two tokens in one header': () => [['Authorization', `Bearer ${user.access_token}, Bearer ${victim.access_token}`]],
  'something behind the token': () => [['Authorization', `Bearer ${user.access_token} x`]],
  'unicode': () => [['Authorization', Buffer.from(`Bearer ${user.access_token}é🚧`)]],
  'a token of unicode': () => [['Authorization', Buffer.from('Bearer тест.тест.тест')]],
  'bytes that are no text': () => [['Authorization', Buffer.from([...Buffer.from('Bearer '), 0xff, 0xfe, 0xc0])]],
  'the token in the address': () => [],
  'a very long token': () => bearer('a'.repeat(12_000)),
  'a deep JSON header': () => bearer(`${encode('{"alg":'.repeat(1_000) + '1' + '}'.repeat(1_000))}.${encode(claims)}.${signature}`),
};
function bearer(token) {
  return [['Authorization', `Bearer ${token}`]];
}

test('the good token opens every protected address: the attacks below fail for their own reasons', async () => {
  for (const [method, path, body] of PROTECTED) {
    const answer = await rawRequest(platform, { method, path, body, headers: [...bearer(user.access_token), ...(body ? [['Content-Type', 'application/json']] : [])] });
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`);
  }
});

test('the scheme may be written in any case (RFC 9110, section 11.1)', async () => {
  for (const scheme of ['bearer', 'BEARER']) assert.equal((await get(platform, '/user/profile', { headers: { authorization: `${scheme} ${user.access_token}` } })).status, 200);
});

for (const [name, attack] of Object.entries(ATTACKS)) {
  test(`${name}: 401 everywhere`, async () => {
    const query = name === 'the token in the address' ? `access_token=${user.access_token}&token=${user.access_token}` : '';
    await Promise.all(
      PROTECTED.map(async ([method, path, body]) => {
        const address = query ? `${path}${path.includes('?') ? '&' : '?'}${query}` : path;
        const answer = await rawRequest(platform, { method, path: address, body, headers: [...attack(), ...(body ? [['Content-Type', 'application/json']] : [])] });
        assert.equal(answer.status, 401, `${method} ${path}: ${answer.status} ${answer.text}`);
        const problem = assertProblem(answer, 401);
        assert.equal(problem.code, name === 'our key, but expired' ? 'token_expired' : 'unauthorized');
        assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
        assert.ok(!answer.text.includes(user.access_token));
      }),
    );
  });
}

test('a request without credentials learns nothing from its body', async () => {
  for (const body of ['', '{', 'x'.repeat(300_000), '{"model":"nobody/knows"}']) {
    assertProblem(await post(platform, '/v1/chat/completions', body, { headers: { 'content-type': 'application/json' } }), 401, 'unauthorized');
  }
});

test('nothing of all this was charged, and the profile is as it was', async () => {
  const { data } = await get(platform, '/usage/quota?fresh=true', { token: user.access_token });
  assert.equal(data.data[0].used, 1, 'the one good request');
  assert.equal((await get(platform, '/usage/quota?fresh=true', { token: victim.access_token })).data.data[0].used, 0);
  assert.equal((await get(platform, '/user/profile', { token: victim.access_token })).data.name, null);
});

test('nothing panicked', () => platform.assertNoPanic());

test('a token expires on the second, also one that was just used', async () => {
  const end = claims.exp * 1000;
  let goodOnes = 0;
  // A machine that is busy needs longer to start than the token has left: then more is left the next time.
  for (let secondsLeft = 3; goodOnes === 0 && secondsLeft < 60; secondsLeft *= 2) {
    const offset = user.expires_in - Math.ceil((Date.now() - claims.iat * 1000) / 1000) - secondsLeft;
    await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(offset) } });
    const platformNow = () => Date.now() + offset * 1000;
    for (;;) {
      const sentAt = platformNow();
      const answer = await get(platform, '/user/trial-status', { token: user.access_token });
      const arrivedAt = platformNow();
      if (arrivedAt < end) assert.equal(answer.status, 200, `${end - arrivedAt} ms before its end: ${answer.text}`);
      if (answer.status !== 200) {
        assertProblem(answer, 401, 'token_expired');
        break;
      }
      assert.ok(sentAt < end, `taken ${sentAt - end} ms after its end`);
      goodOnes += 1;
    }
  }
  assert.ok(goodOnes > 0, 'it was good before');
  for (const [method, path, body] of PROTECTED) {
    const answer = await rawRequest(platform, { method, path, body, headers: [...bearer(user.access_token), ...(body ? [['Content-Type', 'application/json']] : [])] });
    assertProblem(answer, 401, 'token_expired');
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
  }
  const refreshed = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  assert.equal(refreshed.status, 200, 'its session goes on');
  assert.equal((await get(platform, '/user/profile', { token: refreshed.data.access_token })).status, 200);
});

test('keys of another platform are worth nothing here', async (t) => {
  const other = await withPlatform({ test: t });
  const stranger = await register(other);
  assertProblem(await get(platform, '/user/profile', { token: stranger.access_token }), 401, 'unauthorized');
});
