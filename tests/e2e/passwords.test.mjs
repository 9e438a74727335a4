// Passwords: changed, hashed anew, and refused when they were in a breach.
import assert from 'node:assert/strict';
import { argon2Sync, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { auditEntries } from '../harness/audit-rows.mjs';
import { startBreaches } from '../harness/breaches.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, freshEmail, get, PASSWORD, post, register } from '../harness/http.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

const breaches = await startBreaches();
const platform = await withPlatform({ env: { PWNED_BASE_URL: breaches.url } });
const OTHER = 'another long and quiet password 43';
const used = new Set([PASSWORD, OTHER]);

const login = (user, password = user.password) => post(platform, '/auth/login', { email: user.email, password });
const change = (user, current, next, headers) => post(platform, '/auth/password', { current_password: current, new_password: next }, { token: user.access_token, headers });
function assertField(answer, field, message) {
  const { errors } = assertProblem(answer, 422, 'invalid_input');
  assert.deepEqual(errors.map((error) => error.field), [field]);
  if (message) assert.match(errors[0].message, message);
}
async function signedIn(user) {
  const { status, data, text } = await login(user);
  assert.equal(status, 200, text);
  return data;
}
async function assertEnded(token) {
  for (const answer of [await get(platform, '/user/profile', { token }), await chat(platform, token)]) assertProblem(answer, 401, 'session_revoked');
}

test('a changed password ends every other session at once, and this one goes on', async () => {
  const user = await register(platform);
  const [there, elsewhere] = [await signedIn(user), await signedIn(user)];
  for (const { access_token: token } of [there, elsewhere]) assert.equal((await chat(platform, token)).status, 200);
  const answer = await change(there, PASSWORD, OTHER);
  assert.equal(answer.status, 204, answer.text);
  await assertEnded(user.access_token);
  await assertEnded(elsewhere.access_token);
  for (const { refresh_token } of [user, elsewhere]) assert.equal((await post(platform, '/auth/refresh', { refresh_token })).status, 401);
  assert.equal((await chat(platform, there.access_token)).status, 200);
  assert.equal((await get(platform, '/user/profile', { token: there.access_token })).status, 200);
  assert.equal((await post(platform, '/auth/refresh', { refresh_token: there.refresh_token })).status, 200);
  assertProblem(await login(user, PASSWORD), 401, 'invalid_credentials');
  assert.equal((await login(user, OTHER)).status, 200);
  await waitForMails(platform, user.email, 'password_changed');
  const entries = await auditEntries(platform, user.tenant.id);
  assert.ok(entries.some(({ action, outcome, body }) => action === 'account.password_change' && outcome === 'success' && JSON.stringify(body).includes(user.user.id)));
  assert.ok(!JSON.stringify(entries).includes(OTHER));
});

test('it takes the current password, and a new one that would be taken anywhere', async () => {
  const user = await register(platform);
  assertProblem(await post(platform, '/auth/password', { current_password: PASSWORD, new_password: OTHER }), 401, 'unauthorized');
  for (const wrong of ['', 'a wrong and long password', 'x'.repeat(1000), OTHER]) assertField(await change(user, wrong, OTHER), 'current_password');
  for (const weak of ['short', 'x'.repeat(129), 'aaaaaaaaaaaaaa', 'Password1234', user.email]) assertField(await change(user, PASSWORD, weak), 'new_password');
  assert.equal((await login(user)).status, 200, 'nothing was changed');
});

test('of ten changes at once one counts', async () => {
  const user = await register(platform);
  const wanted = Array.from({ length: 10 }, (_, n) => `a password among ten, number ${n}`);
  wanted.forEach((password) => used.add(password));
  const answers = await Promise.all(wanted.map((password) => change(user, PASSWORD, password)));
  const counted = wanted.filter((_, n) => answers[n].status === 204);
  assert.equal(counted.length, 1, answers.map(({ status }) => status).join());
  for (const answer of answers) assert.ok([204, 409, 422].includes(answer.status), answer.text);
  assert.equal((await login(user, counted[0])).status, 200);
});

test('a stolen session guesses the password slowly', async () => {
  const user = await register(platform);
  const headers = { 'x-dev-address': '10.79.1.1' };
  let guesses = 0;
  for (; guesses < 20; guesses++) {
    const answer = await change(user, `a wrong and long password ${guesses}`, OTHER, headers);
    if (answer.status === 429) break;
    assertField(answer, 'current_password');
  }
  assert.equal(guesses, 11);
  assert.equal((await login(user)).status, 200);
});

/** A PHC string of argon2id, made by Node. */
function phc(password, { memory, passes, parallelism = 1 }) {
  const nonce = randomBytes(16);
  const hash = argon2Sync('argon2id', { message: password, nonce, parallelism, tagLength: 32, memory, passes });
  const text = (bytes) => bytes.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(nonce)}$${text(hash)}`;
}
const hashOf = (user) => withDatabase(platform.stateDir, (database) => database.prepare('SELECT password_hash FROM users WHERE user_id = ?').get(user.user.id).password_hash);
const store = (user, hash) => withDatabase(platform.stateDir, (database) => database.prepare('UPDATE users SET password_hash = ? WHERE user_id = ?').run(hash, user.user.id));
const paramsOf = (hash) => hash.split('$').slice(1, 4).join('$');
const TODAY = 'argon2id$v=19$m=19456,t=2,p=1';

test('a hash with weaker parameters is made anew with the next good sign-in, and no other', async () => {
  const users = [await register(platform), await register(platform), await register(platform), await register(platform)];
  const [weak, fewPasses, strong, wrong] = users;
  const strongHash = phc(PASSWORD, { memory: 32_768, passes: 3 });
  const wrongHash = phc(PASSWORD, { memory: 4_096, passes: 1 });
  await platform.restart({
    whileStopped: () => {
      assert.equal(paramsOf(hashOf(weak)), TODAY);
      store(weak, phc(PASSWORD, { memory: 4_096, passes: 3 }));
      store(fewPasses, phc(PASSWORD, { memory: 19_456, passes: 1 }));
      store(strong, strongHash);
      store(wrong, wrongHash);
    },
  });
  assertProblem(await login(wrong, OTHER), 401, 'invalid_credentials');
  assert.equal((await login(strong)).status, 200);
  // Several at once: while one renews the hash, the others are let in all the same.
  for (const user of [weak, fewPasses]) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => login(user)));
    assert.deepEqual(answers.map(({ status }) => status), Array(8).fill(200));
  }
  await platform.restart({
    whileStopped: () => {
      for (const user of [weak, fewPasses]) assert.equal(paramsOf(hashOf(user)), TODAY);
      assert.equal(hashOf(strong), strongHash, 'a stronger one stays');
      assert.equal(hashOf(wrong), wrongHash, 'a wrong password renews nothing');
    },
  });
  for (const user of users) assert.equal((await login(user)).status, 200);
  assertProblem(await login(weak, OTHER), 401, 'invalid_credentials');
  // The sessions of before stand.
  assert.equal((await get(platform, '/user/profile', { token: weak.access_token })).status, 200);
});

test('a password of a breach is refused wherever one is set', async () => {
  const seen = 'a sentence that everybody knows';
  used.add(seen);
  breaches.lists(seen);
  assertField(await post(platform, '/auth/register', { email: freshEmail(), password: seen }), 'password', /breach/);
  const user = await register(platform);
  assertField(await change(user, PASSWORD, seen), 'new_password', /breach/);
  await post(platform, '/auth/forgot-password', { email: user.email });
  const token = tokenOf((await waitForMails(platform, user.email, 'reset_password'))[0]);
  assertField(await post(platform, '/auth/reset-password', { token, password: seen }), 'password', /breach/);
  assert.equal((await login(user)).status, 200);
  // The token was not used up by it.
  assert.equal((await post(platform, '/auth/reset-password', { token, password: OTHER })).status, 204);
});

test('padding, which was seen no times, refuses nothing', async () => {
  const padded = 'a sentence that is in the padding';
  used.add(padded);
  breaches.lists(padded, 0);
  await register(platform, { password: padded });
});

test('when the list does not answer, passwords are taken after a second, and the shipped list still counts', async () => {
  const seen = 'another sentence that everybody knows';
  used.add(seen);
  breaches.lists(seen);
  for (const how of ['silent', 'failing', 'broken off', 'nonsense']) {
    breaches.behave(how);
    const began = performance.now();
    await register(platform, { password: seen });
    assert.ok(performance.now() - began < 4_000, `${how}: ${performance.now() - began} ms`);
    assertField(await post(platform, '/auth/register', { email: freshEmail(), password: 'Password1234' }), 'password', /attackers/);
  }
  await platform.waitForLog(/taken unasked/);
  breaches.behave('well');
  assertField(await post(platform, '/auth/register', { email: freshEmail(), password: seen }), 'password', /breach/);
});

test('nothing but five digits of a hash ever left', () => {
  assert.ok(breaches.asked.length >= 20, `${breaches.asked.length}`);
  breaches.assertOnlyPrefixes([...used]);
});

test('without the setting nobody is asked', async () => {
  await breaches.stop();
  const before = breaches.asked.length;
  await platform.restart({ env: { PWNED_BASE_URL: '' } });
  await register(platform);
  await platform.restart({ env: { PWNED_BASE_URL: 'off' } });
  await register(platform);
  assert.equal(breaches.asked.length, before);
});

test('no panic', () => platform.assertNoPanic());
