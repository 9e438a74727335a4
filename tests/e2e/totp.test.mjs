// The second factor: one-time passwords and recovery codes, attacked. The app is the npm package otpauth.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditEntries } from '../harness/audit-rows.mjs';
import { authenticator, earlyInTheStep, switchOn, wrongCode } from '../harness/authenticator.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, get, PASSWORD, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { mailsTo, tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { rawRequest } from '../harness/raw.mjs';

const platform = await withPlatform();

const login = (user, totp, headers) => post(platform, '/auth/login', { email: user.email, password: user.password, ...(totp === undefined ? {} : { totp }) }, { headers });
const status = async ({ access_token: token }) => (await get(platform, '/auth/totp', { token })).data;
const as = ({ access_token: token }) => ({ token });
function assertField(answer, field) {
  assert.deepEqual(assertProblem(answer, 422, 'invalid_input').errors.map((error) => error.field), [field]);
}
async function assertIn(answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await get(platform, '/user/profile', { token: answer.data.access_token })).status, 200);
}
const assertOut = (answer) => assertProblem(answer, 401, 'invalid_credentials');

test('enrolling wants the password, shows a secret that apps read, and changes nothing yet', async () => {
  const user = await register(platform);
  assertField(await post(platform, '/auth/totp/enroll', {}, as(user)), 'password');
  assertField(await post(platform, '/auth/totp/enroll', { password: 'a wrong and long password' }, as(user)), 'password');
  assertProblem(await post(platform, '/auth/totp/enroll', { password: user.password }), 401, 'unauthorized');
  const key = await post(platform, '/user/api-keys', { name: 'k', scopes: ['account'] }, as(user));
  assertProblem(await post(platform, '/auth/totp/enroll', { password: user.password }, { token: key.data.secret }), 403, 'forbidden');
  const { status: code, data, headers } = await post(platform, '/auth/totp/enroll', { password: user.password }, as(user));
  assert.equal(code, 200);
  assert.match(headers.get('cache-control') ?? '', /no-store/);
  const { uri } = authenticator(data.otpauth_uri);
  assert.deepEqual([uri.issuer, uri.label, uri.algorithm, uri.digits, uri.period, uri.secret.base32], ['Tollgate', user.email, 'SHA1', 6, 30, data.secret]);
  assert.equal(uri.secret.bytes.length, 20);
  await assertIn(await login(user));
  assert.deepEqual(await status(user), { enabled: false, enabled_at: null, recovery_codes_left: 0 });
  for (const path of ['disable', 'recovery-codes']) assertProblem(await post(platform, `/auth/totp/${path}`, { code: '123456' }, as(user)), 409, 'conflict');
  // Another secret takes its place, and the first is worthless.
  const again = await post(platform, '/auth/totp/enroll', { password: user.password }, as(user));
  assert.notEqual(again.data.secret, data.secret);
  assertField(await post(platform, '/auth/totp/confirm', { code: authenticator(data.otpauth_uri).code() }, as(user)), 'code');
});

test('a code of the app switches it on; from then on the password alone is not enough', async () => {
  const user = await register(platform);
  assertProblem(await post(platform, '/auth/totp/confirm', { code: '123456' }, as(user)), 409, 'conflict');
  const { app, recoveryCodes } = await switchOn(platform, user);
  assert.equal(new Set(recoveryCodes).size, 10);
  for (const code of recoveryCodes) assert.match(code, /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
  const { enabled, enabled_at: since, recovery_codes_left: left } = await status(user);
  assert.deepEqual([enabled, left], [true, 10]);
  assert.ok(Math.abs(Date.parse(since) - Date.now()) < 60_000);
  await waitForMails(platform, user.email, 'totp_on');
  for (const path of ['enroll', 'confirm']) assertProblem(await post(platform, `/auth/totp/${path}`, { password: user.password, code: app.code(1) }, as(user)), 409, 'conflict');

  assertProblem(await login(user), 401, 'totp_required');
  // What the password is, a code does not tell: the same answer as without a second factor.
  assertOut(await login({ ...user, password: 'a wrong and long password' }));
  assertOut(await login({ ...user, password: 'a wrong and long password' }, app.code()));
  assertOut(await login(user, wrongCode(app)));
  for (const nonsense of ['', '12345', '1234567', 'abcdef', '１２３４５６', 'x'.repeat(10_000)]) assertOut(await login(user, nonsense));
  assertOut(await login(user, app.code(-1)), 'the code that switched it on is used up');
  await assertIn(await login(user, app.code().replace(/(...)/, '$1 ')));
});

test('a code is good once, and so are those before it', async () => {
  const user = await register(platform);
  const { app } = await switchOn(platform, user);
  const [now, next] = [app.code(), app.code(1)];
  await assertIn(await login(user, next));
  assertOut(await login(user, next));
  assertOut(await login(user, now));
});

test('of twenty sign-ins at once with the same code one is let in', async () => {
  const user = await register(platform);
  const { app } = await switchOn(platform, user);
  const code = app.code();
  const answers = await Promise.all(Array.from({ length: 20 }, () => login(user, code)));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  for (const answer of answers.filter((it) => it.status !== 200)) assertOut(answer);
});

test('a recovery code is good once, in any spelling; of ten uses at once one counts', async () => {
  const user = await register(platform);
  const { recoveryCodes } = await switchOn(platform, user);
  await assertIn(await login(user, recoveryCodes[0].toLowerCase().replaceAll('-', ' ')));
  assertOut(await login(user, recoveryCodes[0]));
  assert.equal((await status(user)).recovery_codes_left, 9);
  const [mail] = await waitForMails(platform, user.email, 'recovery_code_used');
  assert.match(mail.text, /9 left/);
  const answers = await Promise.all(Array.from({ length: 10 }, () => login(user, recoveryCodes[1])));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  // Two different ones at once are two.
  for (const answer of await Promise.all([login(user, recoveryCodes[2]), login(user, recoveryCodes[3])])) await assertIn(answer);
  assert.equal((await status(user)).recovery_codes_left, 6);
});

test("another user's code and recovery codes are worthless", async () => {
  const [user, other] = [await register(platform), await register(platform)];
  await switchOn(platform, user);
  const theirs = await switchOn(platform, other);
  assertOut(await login(user, theirs.app.code()));
  assertOut(await login(user, theirs.recoveryCodes[0]));
  assertField(await post(platform, '/auth/totp/disable', { code: theirs.app.code() }, as(user)), 'code');
  await assertIn(await login(other, theirs.app.code()));
  await assertIn(await login(other, theirs.recoveryCodes[0]));
});

test('guessing codes is slowed down, also by who knows the password', async () => {
  const user = await register(platform);
  const { app } = await switchOn(platform, user);
  const headers = { 'x-dev-address': '10.77.1.1' };
  let guesses = 0;
  for (; guesses < 20; guesses++) {
    const answer = await login(user, wrongCode(app), headers);
    if (answer.status === 429) break;
    assertOut(answer);
  }
  assert.equal(guesses, 11, 'ten are free');
  // A good code waits as well, and is not used up by it.
  assertProblem(await login(user, app.code(1), headers), 429, 'rate_limited');
  await assertIn(await login(user, app.code(1), { 'x-dev-address': '10.77.2.1' }));
  // That a code is wanted is no failure: an app asks for it in a second step.
  for (let n = 0; n < 15; n++) assertProblem(await login(user, undefined, { 'x-dev-address': '10.77.3.1' }), 401, 'totp_required');
});

test('guessing within a stolen session is slowed down too', async () => {
  const user = await register(platform);
  const { app } = await switchOn(platform, user);
  const headers = { 'x-dev-address': '10.78.1.1' };
  let guesses = 0;
  for (; guesses < 20; guesses++) {
    const answer = await post(platform, '/auth/totp/disable', { code: wrongCode(app) }, { ...as(user), headers });
    if (answer.status === 429) break;
    assertField(answer, 'code');
  }
  assert.equal(guesses, 11);
  assert.equal((await status(user)).enabled, true);
});

test('it is switched off with a code, and not without', async () => {
  const [user, other] = [await register(platform), await register(platform)];
  const { app, recoveryCodes } = await switchOn(platform, user);
  for (const body of [{}, { password: user.password }, { code: null }]) assertField(await post(platform, '/auth/totp/disable', body, as(user)), 'code');
  for (const code of ['', wrongCode(app), app.code(-1)]) assertField(await post(platform, '/auth/totp/disable', { code }, as(user)), 'code');
  assertProblem(await post(platform, '/auth/totp/disable', { code: app.code() }, as(other)), 409, 'conflict');
  assertProblem(await login(user), 401, 'totp_required');
  assert.equal((await post(platform, '/auth/totp/disable', { code: app.code() }, as(user))).status, 204);
  await assertIn(await login(user));
  assertOut({ ...(await login({ ...user, password: recoveryCodes[0] })) });
  assertProblem(await post(platform, '/auth/totp/disable', { code: app.code(1) }, as(user)), 409, 'conflict');
  await waitForMails(platform, user.email, 'totp_off');

  // A recovery code does it as well: the telephone is gone.
  const lost = await switchOn(platform, other);
  assert.equal((await post(platform, '/auth/totp/disable', { code: lost.recoveryCodes[9] }, as(other))).status, 204);
  await assertIn(await login(other));
});

test('new recovery codes make the old ones worthless', async () => {
  const user = await register(platform);
  const { app, recoveryCodes } = await switchOn(platform, user);
  assertField(await post(platform, '/auth/totp/recovery-codes', { code: wrongCode(app) }, as(user)), 'code');
  const { status: code, data } = await post(platform, '/auth/totp/recovery-codes', { code: app.code() }, as(user));
  assert.equal(code, 200);
  assert.equal(new Set([...data.recovery_codes, ...recoveryCodes]).size, 20);
  assertOut(await login(user, recoveryCodes[0]));
  await assertIn(await login(user, data.recovery_codes[0]));
  assertOut(await login(user, app.code()));
});

test('a reset of the password leaves it on, once the address was confirmed', async () => {
  const user = await register(platform);
  // Before that a reset is the first proof of the address, and ends what whoever made the account left in it.
  const [verification] = await waitForMails(platform, user.email, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(verification) }, as(user))).status, 204);
  const { app } = await switchOn(platform, user);
  await post(platform, '/auth/forgot-password', { email: user.email });
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  const password = 'another long and quiet password 43';
  assert.equal((await post(platform, '/auth/reset-password', { token: tokenOf(mail), password })).status, 204);
  assertProblem(await login({ ...user, password }), 401, 'totp_required');
  await earlyInTheStep();
  await assertIn(await login({ ...user, password }, app.code(1)));
});

test('who joins a team takes it along, and back home', async () => {
  const [owner, user] = [await register(platform, { name: 'Olive Owner' }), await register(platform)];
  const { app, recoveryCodes } = await switchOn(platform, user);
  const secretOf = () => withDatabase(platform.stateDir, (database) => ({ ...database.prepare('SELECT tenant_id, sealed_for FROM second_factors WHERE user_id = ?').get(user.user.id) }));
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, [{ user: owner.user, plan: 'teams' }]);
      withDatabase(platform.stateDir, (database) => database.prepare('UPDATE subscriptions SET seats = 5 WHERE user_id = ?').run(owner.user.id));
    },
  });
  assert.equal((await post(platform, '/team/invites', { email: user.email, role: 'member' }, as(owner))).status, 201);
  const [mail] = await waitForMails(platform, user.email, 'invitation');
  const joined = await post(platform, '/team/invites/accept', { token: tokenOf(mail) }, as(user));
  assert.equal(joined.status, 200, joined.text);
  assert.equal(joined.data.user.tenant_id, owner.tenant.id);
  assertProblem(await login(user), 401, 'totp_required');
  await assertIn(await login(user, recoveryCodes[0]));
  await platform.restart({ whileStopped: () => assert.deepEqual(secretOf(), { tenant_id: owner.tenant.id, sealed_for: user.tenant.id }) });
  await earlyInTheStep();
  await assertIn(await login(user, app.code(1)));
  // The first code of the app has sealed it anew, for the team.
  await platform.restart({ whileStopped: () => assert.deepEqual(secretOf(), { tenant_id: owner.tenant.id, sealed_for: owner.tenant.id }) });
  const left = await call(platform, 'DELETE', `/team/members/${user.user.id}`, as(owner));
  assert.ok(left.status < 300, left.text);
  assertProblem(await login(user), 401, 'totp_required');
  await assertIn(await login(user, recoveryCodes[1]));
});

test('what auth asks cannot be asked from outside', async () => {
  const user = await register(platform);
  const { recoveryCodes } = await switchOn(platform, user);
  const body = JSON.stringify({ second_factor: { tenant: user.tenant.id, user: user.user.id, code: recoveryCodes[0] } });
  const headers = [['content-type', 'application/json'], ['authorization', `Bearer ${user.access_token}`]];
  for (const path of ['/internal/credentials', '//internal/credentials', '/auth/../internal/credentials', '/auth/totp/../../internal/credentials', '/auth/totp/%2e%2e/%2e%2e/internal/credentials', '/auth/totp/..%2f..%2finternal/credentials', '/auth/internal/credentials', '/auth/totp/internal/credentials', '/auth/totp//internal/credentials', '/internal%2fcredentials', '/INTERNAL/credentials']) {
    const answer = await rawRequest(platform, { method: 'POST', path, headers, body });
    assert.equal(answer.status, 404, `${path}: ${answer.status} ${answer.text}`);
  }
  assert.equal((await status(user)).recovery_codes_left, 10, 'none of it used a code up');
});

test('what is stored is neither the secret nor a code, and the log says who did what', async () => {
  const user = await register(platform);
  const { app, recoveryCodes, secret } = await switchOn(platform, user);
  assertOut(await login(user, wrongCode(app)));
  await assertIn(await login(user, recoveryCodes[0]));
  const renewed = await post(platform, '/auth/totp/recovery-codes', { code: app.code() }, as(user));
  assert.equal(renewed.status, 200, renewed.text);
  assert.equal((await post(platform, '/auth/totp/disable', { code: app.code(1) }, as(user))).status, 204);
  const entries = await auditEntries(platform, user.tenant.id);
  const names = entries.map(({ action, outcome }) => `${action} ${outcome}`);
  for (const name of ['account.totp_enable success', 'account.recovery_code_use success', 'account.recovery_codes_renew success', 'account.totp_disable success', 'account.sign_in denied']) assert.ok(names.includes(name), `${name} in ${names}`);
  const other = await register(platform);
  const on = await switchOn(platform, other);
  await platform.restart({
    whileStopped: () => {
      const row = withDatabase(platform.stateDir, (database) => database.prepare('SELECT * FROM second_factors WHERE user_id = ?').get(other.user.id));
      const stored = JSON.stringify(row) + JSON.stringify(entries);
      for (const shown of [on.secret, secret, ...on.recoveryCodes, ...recoveryCodes, ...recoveryCodes.map((code) => code.replaceAll('-', ''))]) assert.ok(!stored.includes(shown));
      assert.ok(!stored.includes(Buffer.from(on.app.uri.secret.bytes).toString('base64url')) && !stored.includes(on.app.uri.secret.hex.toLowerCase()));
    },
  });
  assert.equal(PASSWORD, user.password);
  const mails = await mailsTo(platform, other.email);
  assert.ok(mails.every(({ text }) => !text.includes(on.secret)));
});

test('no panic, and nothing secret in the log', () => {
  platform.assertNoPanic();
  assert.ok(!platform.log.some((line) => /otpauth:\/\//.test(line)));
});
