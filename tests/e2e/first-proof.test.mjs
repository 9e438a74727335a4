// Who registers somebody's address is not its owner: what they made ends when the owner proves the address for the first time.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { readDatabase, withDatabase } from '../harness/database.mjs';
import { PASSWORD, assertProblem, call, chat, freshEmail, get, post, register } from '../harness/http.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
after(() => platform.assertNoPanic());

const OTHER_PASSWORD = 'a password of the owner of the mailbox';
const as = (who) => ({ token: who.access_token });
const makeKey = async (who, name = 'kept', scopes = ['chat']) => {
  const made = await post(platform, '/user/api-keys', { name, scopes }, as(who));
  assert.equal(made.status, 201, made.text);
  return made.data;
};
const login = (email, password) => post(platform, '/auth/login', { email, password });
const verify = async (email, options) => post(platform, '/auth/verify-email', { token: tokenOf((await waitForMails(platform, email, 'verify_email'))[0]) }, options);
const reset = async (email, body = {}, count = 1) => {
  assert.equal((await post(platform, '/auth/forgot-password', { email })).status, 204);
  const [mail] = await waitForMails(platform, email, 'reset_password', count);
  const answer = await post(platform, '/auth/reset-password', { token: tokenOf(mail), password: OTHER_PASSWORD, ...body });
  assert.equal(answer.status, 204, answer.text);
  return mail;
};

/** A stranger's account under somebody's address, with all that it may have, and what of it still opens something. */
async function stranger() {
  const who = await register(platform);
  const key = await makeKey(who, 'kept', ['chat', 'team', 'account']);
  assert.equal((await chat(platform, key.secret)).status, 200, 'the key works before');
  const invited = await post(platform, '/team/invites', { email: freshEmail(), role: 'admin' }, as(who));
  return { who, key, invited };
}
async function assertNothingOpens({ who, key }) {
  assertProblem(await chat(platform, key.secret), 401);
  assertProblem(await get(platform, '/user/profile', { token: key.secret }), 401);
  assertProblem(await post(platform, '/team/invites', { email: freshEmail(), role: 'admin' }, { token: key.secret }), 401);
  assertProblem(await chat(platform, who.access_token), 401, 'session_revoked');
  assertProblem(await get(platform, '/user/profile', as(who)), 401, 'session_revoked');
  assertProblem(await post(platform, '/auth/refresh', { refresh_token: who.refresh_token }), 401);
}

test('a reset by mail of an address that was never confirmed ends a stranger’s keys and sessions, in the meter too', async () => {
  const account = await stranger();
  await reset(account.who.email);
  await assertNothingOpens(account);
  const owner = await login(account.who.email, OTHER_PASSWORD);
  assert.equal(owner.status, 200, owner.text);
  assert.equal(owner.data.user.email_verified, true);
  assert.deepEqual((await get(platform, '/user/api-keys', { token: owner.data.access_token })).data.data, []);
  const log = (await get(platform, '/audit', { token: owner.data.access_token })).data.data;
  assert.ok(JSON.stringify(log).includes('before the first proof'), JSON.stringify(log));
});

test('the mailed link alone ends them too; the password stays', async () => {
  const account = await stranger();
  assert.equal((await verify(account.who.email)).status, 204);
  await assertNothingOpens(account);
  assert.equal((await login(account.who.email, PASSWORD)).status, 200);
});

test('the mailed link with an access token of the account ends nothing; with anybody else’s token it does', async () => {
  const { who, key } = await stranger();
  assert.equal((await verify(who.email, as(who))).status, 204);
  assert.equal((await chat(platform, who.access_token)).status, 200);
  assert.equal((await chat(platform, key.secret)).status, 200);
  assert.equal((await get(platform, '/user/profile', as(who))).data.email_verified, true);

  const other = await stranger();
  assert.equal((await verify(other.who.email, as(who))).status, 204);
  await assertNothingOpens(other);

  const keyed = await stranger();
  assert.equal((await verify(keyed.who.email, { token: keyed.key.secret })).status, 204);
  await assertNothingOpens(keyed);
});

test('a second factor, linked providers, invitations, single sign-on and lifted roles of before end; who was let in stays as a member', async () => {
  const { who } = await stranger();
  const guest = await register(platform);
  const [tenant, user] = [who.user.tenant_id, who.user.id];
  await platform.restart({
    whileStopped: () => withDatabase(platform.stateDir, (database) => {
      const run = (sql, ...values) => database.prepare(sql).run(...values);
      run('INSERT INTO second_factors (tenant_id, user_id, secret, sealed_for, enrolled_at, confirmed_at, last_step) VALUES (?, ?, ?, ?, 1, 1, 1)', tenant, user, 'x', tenant);
      run('INSERT INTO provider_identities (realm, issuer, subject, identity_id, tenant_id, user_id, linked_at) VALUES (?, ?, ?, ?, ?, ?, 1)', 'google', 'https://issuer.example', randomUUID(), `idn_${randomUUID()}`, tenant, user);
      run('INSERT INTO invitations (tenant_id, invitation_id, email, role, invited_by, token_hash, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)', tenant, 'inv_0198b3d0-0000-7000-8000-000000000001', freshEmail(), 'admin', user, '0'.repeat(64), Date.now() + 86_400_000);
      run('INSERT INTO single_sign_on (tenant_id, issuer, client_id, client_secret, changed_at) VALUES (?, ?, ?, ?, 1)', tenant, 'https://issuer.example', 'x', 'x');
      run("UPDATE users SET tenant_id = ?, role = 'admin', home_tenant_id = ? WHERE user_id = ?", tenant, guest.user.tenant_id, guest.user.id);
      run('UPDATE identities SET tenant_id = ? WHERE user_id = ?', tenant, guest.user.id);
    }),
  });
  assertProblem(await login(who.email, PASSWORD), 401, 'totp_required');
  await reset(who.email);
  const owner = (await login(who.email, OTHER_PASSWORD)).data;
  assert.equal(owner.user.role, 'owner', 'no second factor is asked for');
  assert.deepEqual((await get(platform, '/auth/identities', as(owner))).data.data, []);
  const lowered = (await login(guest.email, PASSWORD)).data;
  assert.deepEqual([lowered.tenant.id, lowered.user.role], [tenant, 'member']);
  await platform.restart({
    whileStopped: () => withDatabase(platform.stateDir, (database) => {
      const count = (sql) => database.prepare(sql).get(tenant).n;
      assert.equal(count('SELECT count(*) AS n FROM invitations WHERE tenant_id = ? AND revoked_at IS NULL'), 0);
      assert.equal(count('SELECT count(*) AS n FROM single_sign_on WHERE tenant_id = ?'), 0);
      assert.equal(count('SELECT count(*) AS n FROM mail_tokens WHERE tenant_id = ?'), 0);
    }),
  });
});

test('a reset of a confirmed address keeps the keys unless they are to go, and the mail says which there are', async () => {
  const user = await register(platform);
  assert.equal((await verify(user.email, as(user))).status, 204);
  const key = await makeKey(user, 'https://evil.example/x');
  const mail = await reset(user.email);
  const line = mail.text?.split('\n').find((text) => text.includes('tg_live_'));
  if (mail.text !== undefined) {
    assert.ok(line?.includes('https evil example x') && line.includes(key.secret.slice(-4)), mail.text);
    assert.ok(!mail.text.includes(key.secret) && !mail.text.includes('https://evil.example'), mail.text);
  }
  assert.equal((await chat(platform, key.secret)).status, 200, 'a key of a confirmed account stays');
  await reset(user.email, { revoke_api_keys: true }, 2);
  assertProblem(await chat(platform, key.secret), 401);
  const again = (await login(user.email, OTHER_PASSWORD)).data;
  const log = (await get(platform, '/audit', as(again))).data.data;
  assert.ok(log.some(({ action }) => action === 'api_key.revoke'), JSON.stringify(log));
  assertProblem(await post(platform, '/auth/reset-password', { token: 'tgm_x', password: OTHER_PASSWORD, revoke_api_keys: 'yes' }), 422);
});

const trialOf = async (who) => (await get(platform, '/user/trial-status', as(who))).data;
const daysOf = (trial) => (new Date(trial.trial_ends_at) - Date.now()) / 86_400_000;
const goAway = async (who) => {
  const gone = await call(platform, 'DELETE', '/user', { token: who.access_token, body: { password: who.password } });
  assert.ok([200, 202, 204].includes(gone.status), gone.text);
};
async function registerAgain(email, password = PASSWORD) {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await post(platform, '/auth/register', { email, password });
    if (answer.status === 201) return { ...answer.data, email, password };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the address is not free again');
}
const shift = (days) => platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(days * 86_400) } });

test('a stranger burns nobody’s trial; unconfirmed it does not begin anew; confirmed there is one', async (t) => {
  const email = freshEmail();
  const squatter = await register(platform, { email });
  assert.equal((await trialOf(squatter)).status, 'trialing');
  await goAway(squatter);
  const owner = await registerAgain(email);
  const first = await trialOf(owner);
  assert.equal(first.status, 'trialing', 'the owner has the rest of it at once');
  assert.ok(daysOf(first) <= 7);
  await goAway(owner);

  await shift(3);
  const later = await registerAgain(email);
  const rest = await trialOf(later);
  assert.ok(Math.abs(new Date(rest.trial_ends_at) - new Date(first.trial_ends_at)) < 60_000, `${rest.trial_ends_at} is not ${first.trial_ends_at}: unconfirmed, the same trial goes on`);
  await goAway(later);

  await shift(9);
  const after9 = await registerAgain(email);
  assert.equal((await trialOf(after9)).status, 'expired', 'unconfirmed there is none without end');
  assert.equal((await verify(email, as(after9))).status, 204);
  const own = await trialOf(after9);
  assert.equal(own.status, 'trialing', 'who confirms the address has the trial');
  assert.equal(own.days_remaining, 7);
  assert.equal((await chat(platform, after9.access_token)).status, 200, 'the meter knows');
  await goAway(after9);

  const again = await registerAgain(email);
  assert.equal((await trialOf(again)).status, 'expired', 'a confirmed claim counts for good');
  const mails = await waitForMails(platform, email, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(mails[0]) }, as(again))).status, 204);
  assert.equal((await trialOf(again)).status, 'expired');
  await shift(0);
});

test('who confirms their address in time keeps the trial they began', async () => {
  const user = await register(platform);
  const before = await trialOf(user);
  assert.equal((await verify(user.email, as(user))).status, 204);
  assert.deepEqual(await trialOf(user), before);
  // A trial that begins later than its claim, by however little, is one that is cut short, and would begin anew.
  const ids = (await Promise.all(Array.from({ length: 40 }, () => register(platform)))).map((one) => one.user.id);
  const apart = readDatabase(platform.stateDir, (database) =>
    database.prepare("SELECT s.trial_started_at - u.created_at AS ms FROM users u JOIN subscriptions s ON s.user_id = u.user_id WHERE u.user_id IN (SELECT value FROM json_each(?))").all(JSON.stringify(ids)),
  );
  assert.deepEqual([apart.length, apart.filter(({ ms }) => ms !== 0).length], [40, 0]);
});
