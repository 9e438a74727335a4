// Two D1 databases: tenants of the second are there and nowhere else, everything works for them, and a change of both databases
// that broke off is settled.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../harness/database.mjs';
import { assertProblem, call, chat, del, freshEmail, get, PASSWORD, patch, post, register } from '../harness/http.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually, logs, settledQuota } from '../harness/usage.mjs';

const platform = await withPlatform({ env: { D1_SHARDS: '2', NEW_TENANT_SHARDS: '1' } });

/** The shard that a tenant's id names: the 12 bits after the version. */
const shardOf = (tenant) => Number.parseInt(tenant.slice('ten_'.length).replaceAll('-', '').slice(13, 16), 16);
const login = (email, password = PASSWORD) => post(platform, '/auth/login', { email, password });
const cron = async (job) => {
  const { data } = await post(platform, '/__dev/cron', { cron: job });
  assert.equal(data.ok, true, JSON.stringify(data));
  return data;
};

/** Works on both databases while the platform is stopped: `[first, second]`. The second is the one without sign-in names. */
async function stopped(work, env) {
  let answer;
  await platform.restart({
    env,
    whileStopped: () => {
      const folder = join(platform.stateDir, 'd1', 'miniflare-D1DatabaseObject');
      const files = readdirSync(folder).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite');
      assert.equal(files.length, 2);
      const databases = files.map((name) => openDatabase(join(folder, name)));
      try {
        const names = (database) => database.prepare('SELECT count(*) AS names FROM identities').get().names;
        databases.sort((a, b) => names(b) - names(a));
        assert.equal(names(databases[1]), 0, 'the directory is on the first shard alone');
        answer = work(databases);
      } finally {
        for (const database of databases) database.close();
      }
    },
  });
  return answer;
}

/** The tables of a database that have rows of a tenant. */
const tablesOf = (database, tenant) =>
  database
    .prepare("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'tenant_id' WHERE m.type = 'table'")
    .all()
    .map(({ name }) => name)
    .filter((name) => database.prepare(`SELECT count(*) AS rows FROM ${name} WHERE tenant_id = ?`).get(tenant).rows > 0);

async function invited(owner, email) {
  const answer = await post(platform, '/team/invites', { email, role: 'member' }, { token: owner.access_token });
  assert.equal(answer.status, 201, answer.text);
  const [mail] = await waitForMails(platform, email, 'invitation');
  return tokenOf(mail);
}
const accept = (user, token) => post(platform, '/team/invites/accept', { token }, { token: user.access_token });
const makeTeam = (owner) => stopped(([, second]) => second.prepare("UPDATE subscriptions SET plan = 'teams', seats = 9, version = version + 1, trial_started_at = NULL, trial_ends_at = NULL WHERE user_id = ?").run(owner.user.id));

test('a tenant of the second shard works, and its rows are there and nowhere else', async () => {
  const user = await register(platform, { name: 'Second' });
  const token = user.access_token;
  assert.equal(shardOf(user.tenant.id), 1);
  assert.equal((await call(platform, 'PUT', '/user/config', { token, body: { theme: 'dark' } })).status, 200);
  const key = (await post(platform, '/user/api-keys', { name: 'k', scopes: ['chat', 'usage:read', 'account:read'] }, { token })).data;
  for (const credential of [token, key.secret]) assert.equal((await chat(platform, credential)).status, 200);
  await settledQuota(platform, token);
  await eventually('the log has both', async () => (await logs(platform, token)).length === 2, 15_000);
  assert.equal((await get(platform, '/user/profile', { token: key.secret })).status, 200);
  const verify = tokenOf((await waitForMails(platform, user.email, 'verify_email'))[0]);
  assert.equal((await post(platform, '/auth/verify-email', { token: verify }, { token })).status, 204);
  const refreshed = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  assert.equal(refreshed.status, 200, refreshed.text);
  assertProblem(await login(user.email, 'not the right one at all'), 401, 'invalid_credentials');
  assertProblem(await login(freshEmail()), 401, 'invalid_credentials');
  await post(platform, '/auth/forgot-password', { email: user.email });
  const reset = tokenOf((await waitForMails(platform, user.email, 'reset_password'))[0]);
  const password = 'another long and quiet password';
  assert.equal((await post(platform, '/auth/reset-password', { token: reset, password })).status, 204);
  const again = await login(user.email, password);
  assert.equal(again.status, 200, again.text);
  const verified = await get(platform, '/audit/verify', { token: again.data.access_token });
  assert.deepEqual([verified.status, verified.data.ok], [200, true]);
  // The address is one of all shards.
  assertProblem(await post(platform, '/auth/register', { email: user.email, password: PASSWORD }), 409, 'email_taken');
  // The roll-up goes over every shard, once the rows are there: a summary is read from the database alone.
  await eventually('the database has the rows', async () => (await get(platform, '/usage/summary', { token: again.data.access_token })).data.total.requests >= 1, 75_000);
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '3700' } });
  await eventually('an hour is added up', async () => (await cron('roll_up_usage')).done >= 1, 15_000);
  const [first, second, notes] = await stopped(
    (databases) => [...databases.map((database) => tablesOf(database, user.tenant.id)), databases[1].prepare('SELECT count(*) AS notes FROM arrivals').get().notes],
    { CLOCK_OFFSET_SECONDS: '' },
  );
  assert.deepEqual([first, notes], [['identities'], 0]);
  for (const table of ['tenants', 'users', 'sessions', 'subscriptions', 'api_keys', 'user_configs', 'usage_events', 'usage_hourly', 'mails', 'audit']) assert.ok(second.includes(table), `${table}: ${second}`);
});

test('a team of the second shard: who is invited is registered there, joins, leaves, and may sign in after each', async () => {
  const owner = await register(platform, { name: 'Owner' });
  await makeTeam(owner);
  const { data } = await login(owner.email);
  const early = await register(platform);
  assert.equal((await accept(early, await invited(data, early.email))).status, 200);
  // New tenants go to the first shard from now on: an invitation leads to the team's.
  await platform.restart({ env: { NEW_TENANT_SHARDS: '0' } });
  const email = freshEmail();
  const token = await invited(data, email);
  const late = await register(platform, { email });
  assert.equal(shardOf(late.tenant.id), 1);
  const member = await accept(late, token);
  assert.equal(member.status, 200, member.text);
  assert.equal((await login(email)).data.tenant.id, owner.tenant.id);
  assert.equal((await chat(platform, member.data.access_token)).status, 200);
  // One who has an account on another shard is told.
  const elsewhere = await register(platform);
  assert.equal(shardOf(elsewhere.tenant.id), 0);
  assert.match(assertProblem(await accept(elsewhere, await invited(data, elsewhere.email)), 409, 'conflict').detail, /another database/);
  assert.equal((await get(platform, '/user/profile', { token: elsewhere.access_token })).status, 200, 'and is signed in still');
  // Put out, the member goes home, on the same shard.
  assert.equal((await del(platform, `/team/members/${late.user.id}`, { token: data.access_token })).status, 204);
  assert.equal((await login(email)).data.tenant.id, late.tenant.id);
  assert.equal((await patch(platform, `/team/members/${early.user.id}`, { role: 'admin' }, { token: data.access_token })).status, 200);
  await platform.restart({ env: { NEW_TENANT_SHARDS: '1' } });
});

test('a registration that is killed anywhere leaves an account that works, or none and a free address', async (t) => {
  let none = 0;
  const emails = [];
  // The machine says how long one takes: the kills are spread over that.
  const began = performance.now();
  for (let n = 0; n < 3; n++) await register(platform);
  const took = (performance.now() - began) / 3;
  for (const share of [0.3, 0.6, 0.75, 0.85, 0.95, 1.1]) {
    const pause = share * took;
    const email = freshEmail();
    const sent = post(platform, '/auth/register', { email, password: PASSWORD }).catch(() => undefined);
    await sleep(pause);
    await platform.killWorkerd();
    const answer = await sent;
    const signedIn = await eventually('the platform is back', async () => {
      const tried = await login(email);
      return [200, 401].includes(tried.status) && tried;
    });
    if (answer?.status === 201) assert.equal(signedIn.status, 200);
    if (signedIn.status === 401) {
      none += 1;
      assert.equal((await post(platform, '/auth/register', { email, password: PASSWORD })).status, 201);
    }
    emails.push(email);
  }
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '120' } });
  await cron('settle_arrivals');
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '' } });
  const [rows, notes] = await stopped(([, second]) => [
    emails.map((email) => second.prepare('SELECT count(*) AS rows FROM users WHERE email = ?').get(email).rows),
    second.prepare('SELECT count(*) AS notes FROM arrivals').get().notes,
  ]);
  assert.deepEqual([rows, notes], [emails.map(() => 1), 0], 'each address has one account, and no note is left');
  for (const email of emails) assert.equal((await login(email)).status, 200);
  t.diagnostic(`${none} of ${emails.length} were killed before the account was`);
});

test('every place where a change of two databases can break off is settled', async () => {
  const [lost, won, moved] = [await register(platform), await register(platform), await register(platform)];
  const now = Date.now() - 10 * 60_000;
  const note = (database, user, how) => database.prepare('INSERT INTO arrivals (tenant_id, user_id, email, how, at) VALUES (?, ?, ?, ?, ?)').run(user.tenant.id, user.user.id, user.email, how, now);
  await stopped(([first, second]) => {
    // Registered, and the directory was never told.
    first.prepare('DELETE FROM identities WHERE user_id = ?').run(lost.user.id);
    note(second, lost, 'registered');
    // Registered, the directory was told, and the note stayed.
    note(second, won, 'registered');
    // Moved, and the directory still names the tenant of before.
    first.prepare('UPDATE identities SET tenant_id = ? WHERE user_id = ?').run(lost.tenant.id, moved.user.id);
    note(second, moved, 'moved');
  });
  for (const user of [lost, moved]) assertProblem(await login(user.email), 401, 'invalid_credentials');
  assert.equal((await cron('settle_arrivals')).done, 3);
  assert.equal((await cron('settle_arrivals')).done, 0);
  assert.equal((await login(won.email)).status, 200);
  assert.equal((await login(moved.email)).data.tenant.id, moved.tenant.id);
  assertProblem(await login(lost.email), 401, 'invalid_credentials');
  const left = await stopped((databases) => databases.flatMap((database) => tablesOf(database, lost.tenant.id)));
  assert.deepEqual(left, []);
  assert.equal((await register(platform, { email: lost.email })).email, lost.email, 'the address is free');
});

test('a user of the second shard exports and deletes everything', async () => {
  const user = await register(platform, { name: 'Gone Tomorrow' });
  assert.equal((await chat(platform, user.access_token)).status, 200);
  await settledQuota(platform, user.access_token);
  const exported = await get(platform, '/user/export', { token: user.access_token });
  assert.equal(exported.data.tenants[0].tables.users[0].email, user.email);
  const gone = await call(platform, 'DELETE', '/user', { token: user.access_token, body: { password: PASSWORD } });
  assert.equal(gone.status, 202, gone.text);
  assertProblem(await login(user.email), 401, 'invalid_credentials');
  await cron('delete_users');
  const [first, second, row] = await stopped((databases) => [
    ...databases.map((database) => tablesOf(database, user.tenant.id)),
    { ...databases[1].prepare('SELECT state, proof, proof_hash FROM deletions WHERE tenant_id = ?').get(user.tenant.id) },
  ]);
  assert.deepEqual([first, second.sort(), row.state], [[], ['audit', 'deletions'], 'proven']);
  assert.equal(row.proof_hash, createHash('sha256').update('deletion proof\0').update(row.proof).digest('hex'));
});

test('ids of a shard that is not bound name nothing: 401 and 404, never a 5xx', async () => {
  const user = await register(platform);
  // Before anything is stopped: the local queue forgets what it had.
  const verify = tokenOf((await waitForMails(platform, user.email, 'verify_email'))[0]);
  const owner = await register(platform);
  await makeTeam(owner);
  const { data: signedIn } = await login(owner.email);
  const guest = freshEmail();
  const invitation = await invited(signedIn, guest);
  const key = (await post(platform, '/user/api-keys', { name: 'k', scopes: ['chat', 'account:read'] }, { token: user.access_token })).data.secret;
  await platform.restart({ env: { D1_SHARDS: '1', NEW_TENANT_SHARDS: '' } });
  const local = await register(platform);
  assert.equal(shardOf(local.tenant.id), 0);
  const token = user.access_token;
  const answers = {
    login: await login(user.email),
    refresh: await post(platform, '/auth/refresh', { refresh_token: user.refresh_token }),
    logout: await post(platform, '/auth/logout', { refresh_token: user.refresh_token }),
    verify: await post(platform, '/auth/verify-email', { token: verify }),
    key: await get(platform, '/user/profile', { token: key }),
    accept: await accept(local, invitation),
  };
  assert.deepEqual(Object.fromEntries(Object.entries(answers).map(([what, { status }]) => [what, status])), { login: 401, refresh: 401, logout: 204, verify: 422, key: 401, accept: 404 });
  for (const path of ['/user/profile', '/user/config', '/user/api-keys', '/user/trial-status', '/user/export', '/team', '/team/members', '/audit', '/usage/logs', '/auth/sessions']) {
    const answer = await get(platform, path, { token });
    assert.ok([401, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
  }
  for (const [method, path, body] of [['PUT', '/user/config', {}], ['PATCH', '/user/profile', { name: 'x' }], ['POST', '/user/api-keys', { name: 'x', scopes: ['chat'] }], ['DELETE', '/user', { password: PASSWORD }]]) {
    const answer = await call(platform, method, path, { token, body });
    assert.ok([401, 404].includes(answer.status), `${method} ${path}: ${answer.status} ${answer.text}`);
  }
  // Bound again, all of it is there.
  await platform.restart({ env: { D1_SHARDS: '2' } });
  assert.equal((await login(user.email)).status, 200);
  assert.equal((await get(platform, '/user/profile', { token: key })).status, 200);
});

test('readiness looks at every shard, and nothing panicked', async () => {
  assert.equal((await get(platform, '/health/ready')).status, 200);
  platform.assertNoPanic();
});
