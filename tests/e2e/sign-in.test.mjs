// Confirming an address, setting another password by mail, and the devices one is signed in on.
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditEntries } from '../harness/audit-rows.mjs';
import { assertProblem, chat, del, freshEmail, get, PASSWORD, post, register } from '../harness/http.mjs';
import { mailsTo, tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
const OTHER_PASSWORD = 'another long and quiet password 43';
const DAY_SECONDS = 86_400;

const profile = async (token) => get(platform, '/user/profile', { token });
const login = (email, password, headers) => post(platform, '/auth/login', { email, password }, { headers });
const refresh = (token) => post(platform, '/auth/refresh', { refresh_token: token });
const verify = (mailed, token) => post(platform, '/auth/verify-email', { token: mailed }, { token });
const forgot = (email) => post(platform, '/auth/forgot-password', { email });
const reset = (token, password = OTHER_PASSWORD) => post(platform, '/auth/reset-password', { token, password });

/** Restarts the platform with its clock ahead. */
const shiftClock = (seconds) => platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(seconds) } });

function assertDead(answer) {
  const problem = assertProblem(answer, 422, 'invalid_input');
  assert.deepEqual(problem.errors.map(({ field }) => field), ['token']);
}

async function assertEnded(token) {
  for (const answer of [await profile(token), await chat(platform, token), await get(platform, '/auth/sessions', { token }), await get(platform, '/usage/quota?fresh=true', { token })]) {
    assertProblem(answer, 401, 'session_revoked');
  }
}

/** Changes to a token that must make it worthless. */
function forgeries(token, other) {
  const [tenant, user, secret] = token.split('.');
  const [otherTenant, otherUser, otherSecret] = other.split('.');
  const flipped = secret.slice(0, 5) + (secret[5] === 'A' ? 'B' : 'A') + secret.slice(6);
  return ['', 'x', 'tgm_', `${tenant}.${user}`, `${tenant}.${user}.${flipped}`, `${tenant}.${user}.${otherSecret}`, `${otherTenant}.${user}.${secret}`, `${tenant}.${otherUser}.${secret}`, `${token}.x`, token.slice(0, -2), token.toUpperCase()];
}

test('an address is confirmed with the mailed token, once', async () => {
  const [user, other] = [await register(platform), await register(platform)];
  assert.equal((await profile(user.access_token)).data.email_verified, false);
  const [mail] = await waitForMails(platform, user.email, 'verify_email');
  assert.ok(mail.links[0].startsWith(`${platform.url}/verify-email?token=`), mail.links[0]);
  const token = tokenOf(mail);
  const [otherMail] = await waitForMails(platform, other.email, 'verify_email');
  for (const forged of forgeries(token, tokenOf(otherMail))) assertDead(await verify(forged));
  assertDead(await reset(token), 'one kind does not pass for the other');
  assert.equal((await profile(user.access_token)).data.email_verified, false);

  // With a session of the account along: whoever made it and whoever reads the mailbox are one, so nothing ends.
  const answer = await verify(token, user.access_token);
  assert.equal(answer.status, 204, answer.text);
  assert.equal((await profile(user.access_token)).data.email_verified, true);
  assert.equal((await profile(other.access_token)).data.email_verified, false);
  assertDead(await verify(token));
  // Nothing more is sent to an address that is confirmed.
  assert.equal((await post(platform, '/auth/verify-email/resend', undefined, { token: user.access_token })).status, 204);
  await sleep(1_500);
  assert.equal((await mailsTo(platform, user.email, 'verify_email')).length, 1);
});

test('a later mail is good and the one before is not', async () => {
  const user = await register(platform);
  const [first] = await waitForMails(platform, user.email, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email/resend', undefined, { token: user.access_token })).status, 204);
  const mails = await waitForMails(platform, user.email, 'verify_email', 2);
  const second = mails.find((mail) => tokenOf(mail) !== tokenOf(first));
  assertDead(await verify(tokenOf(first)));
  assert.equal((await verify(tokenOf(second))).status, 204);
  assertProblem(await post(platform, '/auth/verify-email/resend'), 401, 'unauthorized');
});

test('of many uses of one mailed token at once, one counts', async () => {
  const user = await register(platform);
  await forgot(user.email);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  const answers = await Promise.all(Array.from({ length: 5 }, (_, n) => reset(tokenOf(mail), `${OTHER_PASSWORD} ${n}`)));
  const good = answers.flatMap(({ status }, n) => (status === 204 ? [n] : []));
  assert.equal(good.length, 1, `${answers.map(({ status }) => status)}`);
  assert.equal((await login(user.email, `${OTHER_PASSWORD} ${good[0]}`)).status, 200);
  const other = await register(platform);
  const [verification] = await waitForMails(platform, other.email, 'verify_email');
  const verified = await Promise.all(Array.from({ length: 5 }, () => verify(tokenOf(verification))));
  assert.equal(verified.filter(({ status }) => status === 204).length, 1);
});

test('a password set by mail ends every session at once and is told', async () => {
  const user = await register(platform, { product: 'chat' });
  const second = (await login(user.email, PASSWORD)).data;
  const refreshed = (await refresh(second.refresh_token)).data;
  assert.equal((await chat(platform, user.access_token)).status, 200);
  assert.equal((await forgot(user.email.toUpperCase())).status, 204);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  assert.ok(mail.links[0].startsWith(`${platform.url}/reset-password?token=`));
  const token = tokenOf(mail);

  // A password that is not taken leaves the token good.
  for (const weak of ['short', 'x'.repeat(129), 'aaaaaaaaaaaaaaaa', user.email]) {
    const problem = assertProblem(await reset(token, weak), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map(({ field }) => field), ['password']);
  }
  const answer = await reset(token);
  assert.equal(answer.status, 204, answer.text);
  for (const old of [user.access_token, second.access_token, refreshed.access_token]) await assertEnded(old);
  for (const old of [user.refresh_token, refreshed.refresh_token]) assertProblem(await refresh(old), 401);
  assertProblem(await login(user.email, PASSWORD), 401, 'invalid_credentials');
  assertDead(await reset(token, `${OTHER_PASSWORD}!`));
  const signedIn = await login(user.email, OTHER_PASSWORD);
  assert.equal(signedIn.status, 200);
  assert.equal((await chat(platform, signedIn.data.access_token)).status, 200);
  assert.equal(signedIn.data.user.email_verified, true, 'whoever reads the mail has the address');
  await waitForMails(platform, user.email, 'password_changed');
});

test('a sign-in that a reset overtakes opens nothing', async () => {
  const user = await register(platform);
  await forgot(user.email);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  const [done, ...signedIn] = await Promise.all([reset(tokenOf(mail)), ...Array.from({ length: 6 }, () => login(user.email, PASSWORD))]);
  assert.equal(done.status, 204);
  for (const { status, data } of signedIn) {
    assert.ok(status === 200 || status === 401, `${status}`);
    if (status === 200) await assertEnded(data.access_token);
  }
});

test('whether an address is registered is told neither by the answer nor by its time', async () => {
  const user = await register(platform);
  const times = { known: [], unknown: [] };
  const stranger = freshEmail();
  // The first call for an address makes its counter, registered or not.
  for (const email of [user.email, stranger]) assert.equal((await forgot(email)).status, 204);
  for (let n = 0; n < 9; n++) {
    for (const [name, email] of [['known', user.email], ['unknown', stranger]]) {
      const begun = performance.now();
      const answer = await forgot(email);
      times[name].push(performance.now() - begun);
      assert.deepEqual([answer.status, answer.text], [204, '']);
      // What comes after an answer is not to be measured with the next one.
      await sleep(60);
    }
  }
  const quartile = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 4)];
  assert.ok(Math.abs(quartile(times.known) - quartile(times.unknown)) < 20, `${quartile(times.known)} and ${quartile(times.unknown)} ms`);
  assertProblem(await forgot('nobody'), 422, 'invalid_input');
});

test('the devices one is signed in on are listed, and ended within one request', async () => {
  const user = await register(platform);
  const phone = (await login(user.email, PASSWORD, { 'user-agent': 'Phone/1.0' })).data;
  const stranger = await register(platform);
  const list = async (token) => (await get(platform, '/auth/sessions', { token })).data.data;

  const sessions = await list(phone.access_token);
  assert.deepEqual(sessions.map(({ device, current }) => [device, current]), [['Phone/1.0', true], ['node', false]]);
  for (const session of sessions) {
    assert.deepEqual(Object.keys(session).sort(), ['address', 'created_at', 'current', 'device', 'expires_at', 'id', 'place', 'refreshed_at']);
    assert.match(session.id, /^ses_/);
    assert.ok(Date.parse(session.created_at) <= Date.parse(session.refreshed_at));
  }
  const [, first] = sessions;
  // Another user's and another tenant's session, and none at all.
  const [theirs] = await list(stranger.access_token);
  for (const id of [theirs.id, 'ses_x', 'x', first.id.toUpperCase(), first.id.replace(/.$/, (c) => (c === '0' ? '1' : '0'))]) {
    assertProblem(await del(platform, `/auth/sessions/${id}`, { token: phone.access_token }), 404, 'not_found');
  }
  assert.equal((await profile(stranger.access_token)).status, 200);

  assert.equal((await chat(platform, user.access_token)).status, 200);
  const answer = await del(platform, `/auth/sessions/${first.id}`, { token: phone.access_token });
  assert.equal(answer.status, 204, answer.text);
  assertProblem(await chat(platform, user.access_token), 401, 'session_revoked');
  await assertEnded(user.access_token);
  assertProblem(await refresh(user.refresh_token), 401);
  assert.deepEqual((await list(phone.access_token)).map(({ device }) => device), ['Phone/1.0']);
  assertProblem(await del(platform, `/auth/sessions/${first.id}`, { token: phone.access_token }), 404, 'not_found');
  assertProblem(await del(platform, `/auth/sessions/${sessions[0].id}`, { token: user.access_token }), 401, 'session_revoked');
  // One's own.
  assert.equal((await del(platform, `/auth/sessions/${sessions[0].id}`, { token: phone.access_token })).status, 204);
  await assertEnded(phone.access_token);
});

test('a device that was not seen before is told of, once', async () => {
  const user = await register(platform);
  const tablet = { 'user-agent': 'Tablet/2.0 <b>x</b>' };
  for (const headers of [undefined, tablet, tablet]) assert.equal((await login(user.email, PASSWORD, headers)).status, 200);
  const mails = await waitForMails(platform, user.email, 'new_device');
  await sleep(1_500);
  assert.equal((await mailsTo(platform, user.email, 'new_device')).length, 1, 'not for the first sign-in, and not again');
  assert.match(mails[0].text, /Tablet\/2\.0/);
});

test('a wrong secret for a known session harms nobody', async () => {
  const [user, thief] = [await register(platform), await register(platform)];
  const [head, session, secret] = user.refresh_token.split('.');
  const [, , theirs] = thief.refresh_token.split('.');
  const bytes = Buffer.from(secret, 'base64url');
  const changed = [0, 20, 31, 32, 47].map((at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1;
    return copy.toString('base64url');
  });
  const mixed = Buffer.concat([Buffer.from(theirs, 'base64url').subarray(0, 32), bytes.subarray(32)]).toString('base64url');
  for (const wrong of [...changed, theirs, mixed, Buffer.alloc(48).toString('base64url')]) {
    assertProblem(await refresh(`${head}.${session}.${wrong}`), 401, 'unauthorized');
    assert.equal((await post(platform, '/auth/logout', { refresh_token: `${head}.${session}.${wrong}` })).status, 204);
  }
  assert.equal((await profile(user.access_token)).status, 200);
  assert.equal((await chat(platform, user.access_token)).status, 200);
  assert.equal((await refresh(user.refresh_token)).status, 200);
});

test('many refreshes at once get the same successor, and the session goes on', async () => {
  const user = await register(platform);
  const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(user.refresh_token)));
  for (const { status, text } of answers) assert.equal(status, 200, text);
  const next = new Set(answers.map(({ data }) => data.refresh_token));
  assert.equal(next.size, 1);
  for (const { data } of answers) assert.equal((await profile(data.access_token)).status, 200);
  assert.equal((await refresh([...next][0])).status, 200);
});

test('signing out with an older refresh token of the session ends it', async () => {
  const user = await register(platform);
  let latest = user;
  for (let n = 0; n < 3; n++) latest = (await refresh(latest.refresh_token)).data;
  assert.equal((await post(platform, '/auth/logout', { refresh_token: user.refresh_token })).status, 204);
  await assertEnded(latest.access_token);
  assertProblem(await refresh(latest.refresh_token), 401);
});

test('what happens to an account is in its audit log', async () => {
  const user = await register(platform);
  assertProblem(await login(user.email, 'a wrong and long password'), 401);
  const second = (await login(user.email, PASSWORD)).data;
  const [verification] = await waitForMails(platform, user.email, 'verify_email');
  await verify(tokenOf(verification), user.access_token);
  await post(platform, '/auth/logout', { refresh_token: second.refresh_token });
  const third = (await login(user.email, PASSWORD)).data;
  const { data } = await get(platform, '/auth/sessions', { token: user.access_token });
  await del(platform, `/auth/sessions/${data.data.find(({ current }) => !current).id}`, { token: user.access_token });
  const fourth = (await login(user.email, PASSWORD)).data;
  const fifth = (await refresh(fourth.refresh_token)).data;
  await refresh(fifth.refresh_token);
  assertProblem(await refresh(fourth.refresh_token), 401);
  await forgot(user.email);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  await reset(tokenOf(mail));
  await sleep(500);
  const rows = await auditEntries(platform, user.tenant.id);
  const seen = rows.map(({ action, outcome }) => `${action} ${outcome}`).sort();
  assert.deepEqual(seen, [
    'account.email_verify success',
    'account.password_forgot success',
    'account.password_reset success',
    'account.refresh_reuse denied',
    'account.register success',
    'account.session_revoke success',
    'account.sign_in denied',
    'account.sign_in success',
    'account.sign_in success',
    'account.sign_in success',
    'account.sign_in success',
    'account.sign_out success',
  ]);
  const denied = rows.find(({ action, outcome }) => action === 'account.sign_in' && outcome === 'denied');
  assert.deepEqual([denied.body.actor.kind, denied.body.target.id], ['anonymous', user.user.id]);
  assert.ok(denied.body.source.user_agent && denied.body.source.request_id);
  assert.ok(third.access_token);
  const stored = JSON.stringify(rows);
  for (const secret of [PASSWORD, OTHER_PASSWORD, tokenOf(mail), user.refresh_token]) assert.ok(!stored.includes(secret));
});

// From here on the clock is ahead.

test('after the grace, a refresh token that was replaced ends its session', async () => {
  const user = await register(platform);
  const next = (await refresh(user.refresh_token)).data;
  await shiftClock(30);
  assertProblem(await refresh(user.refresh_token), 401, 'unauthorized');
  await assertEnded(next.access_token);
  assertProblem(await refresh(next.refresh_token), 401);
});

test('mailed tokens die of age', async () => {
  const user = await register(platform);
  await forgot(user.email);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  const [verification] = await waitForMails(platform, user.email, 'verify_email');
  await shiftClock(30 + 31 * 60);
  assertDead(await reset(tokenOf(mail)));
  assert.equal((await login(user.email, PASSWORD)).status, 200);
  await shiftClock(30 + 3 * DAY_SECONDS + 60);
  assertDead(await verify(tokenOf(verification)));
  platform.assertNoPanic();
});
