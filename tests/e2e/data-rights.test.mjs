// What a user may ask for: all that is kept about them, and that it is deleted, everywhere. Every table of every database, every
// copy in KV and every object is looked through for the user's address, name and ids; what a team is billed for stays.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase, withDatabase } from '../harness/database.mjs';
import { assertProblem, bearer, call, chat, get, PASSWORD, patch, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually, logs, settledQuota } from '../harness/usage.mjs';

const platform = await withPlatform();
const LIMITS = { requests: { hard: 1_000 }, tokens: 'unlimited' };
const NAMES = ['Hedwig Unmistakable', 'Ottokar Unmistakable', 'Wilhelmina Unmistakable', 'Balthasar Unmistakable'];

const remove = (user, body = { password: PASSWORD }) => call(platform, 'DELETE', '/user', { token: user.access_token, body });
const login = (user) => post(platform, '/auth/login', { email: user.email, password: PASSWORD });
const cron = async () => (await post(platform, '/__dev/cron', { cron: 'delete_users' })).data;
const sha256 = (purpose, text) => createHash('sha256').update(purpose).update('\0').update(text).digest('hex');

/** Works in the database while the platform is stopped for a moment. */
async function stopped(work) {
  let answer;
  await platform.restart({ whileStopped: () => { answer = withDatabase(platform.stateDir, work); } });
  return answer;
}

const deletion = (database, id) => database.prepare('SELECT * FROM deletions WHERE deletion_id = ?').all(id).map((row) => ({ ...row }));

/** Waits until every row of a deletion is proven, and answers them. */
async function proven(id) {
  for (let tries = 0; tries < 10; tries++) {
    const run = await cron();
    assert.equal(run.ok, true, JSON.stringify(run));
    const rows = await stopped((database) => deletion(database, id));
    if (rows.length > 0 && rows.every(({ state }) => state === 'proven')) return rows;
  }
  throw new Error(`${id} is not proven`);
}

/** Every cell of every table of every database in a folder, as `[where, text]`. */
function* cells(folder) {
  for (const name of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.sqlite'))) {
    const database = openDatabase(join(folder, name), { readOnly: true });
    try {
      const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all().map(({ name }) => name);
      for (const table of tables.filter((table) => !table.startsWith('_cf_') || table === '_mf_entries')) {
        for (const row of database.prepare(`SELECT * FROM "${table}"`).all()) {
          for (const [column, value] of Object.entries(row)) yield [`${name}: ${table}.${column}`, value instanceof Uint8Array ? Buffer.from(value).toString() : String(value ?? '')];
        }
      }
    } finally {
      database.close();
    }
  }
}

/** Where any of the texts stands: in D1, in KV (rows and values), in Durable Objects. The platform must not be running. */
function found(texts) {
  const hits = [];
  for (const store of ['d1', 'kv', 'do']) {
    const folder = join(platform.stateDir, store);
    for (const [where, text] of cells(folder)) for (const wanted of texts) if (text.includes(wanted)) hits.push(`${store} ${where}: ${wanted}`);
    if (store !== 'kv') continue;
    // Values lie beside, as blobs, and may outlive their keys: only those that a key leads to count.
    const kept = new Set([...cells(folder)].filter(([where]) => where.endsWith('.blob_id')).map(([, id]) => id));
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile() || !kept.has(name.name)) continue;
      const text = readFileSync(join(name.parentPath ?? name.path, name.name), 'utf8');
      for (const wanted of texts) if (text.includes(wanted)) hits.push(`kv ${name.name}: ${wanted}`);
    }
  }
  return hits;
}
const search = async (texts) => {
  let hits;
  await platform.restart({ whileStopped: () => { hits = found(texts); } });
  return hits;
};

/** A user with a bit of everything. */
async function busyUser(name) {
  const user = await register(platform, { name });
  const token = user.access_token;
  await call(platform, 'PUT', '/user/config', { token, body: { theme: `of ${user.email}` } });
  const key = (await post(platform, '/user/api-keys', { name: 'nightly', scopes: ['chat', 'usage:read'] }, { token })).data;
  const other = await post(platform, '/auth/login', { email: user.email, password: PASSWORD }, { headers: { 'user-agent': 'a telephone' } });
  await post(platform, '/auth/forgot-password', { email: user.email });
  assert.equal((await post(platform, '/auth/login', { email: user.email, password: 'not the right one at all' })).status, 401);
  for (const credential of [token, token, key.secret]) assert.equal((await chat(platform, credential)).status, 200);
  await settledQuota(platform, token);
  return { ...user, key, other: other.data };
}

/** Owners of teams, as billing will make them. */
async function teams(...names) {
  const owners = [];
  for (const name of names) owners.push(await register(platform, { name }));
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, owners.map(({ user }) => ({ user, plan: 'teams', limits: LIMITS })));
      withDatabase(platform.stateDir, (database) => database.exec("UPDATE subscriptions SET seats = 20 WHERE plan = 'teams'"));
    },
  });
  return owners;
}
async function join_(owner, user, role = 'member') {
  assert.equal((await post(platform, '/team/invites', { email: user.email, role }, { token: owner.access_token })).status, 201);
  const [mail] = await waitForMails(platform, user.email, 'invitation');
  const answer = await post(platform, '/team/invites/accept', { token: tokenOf(mail) }, { token: user.access_token });
  assert.equal(answer.status, 200, answer.text);
  return { ...user, ...answer.data };
}

/** Every way in is closed. */
async function assertGone(user) {
  for (const token of [user.access_token, user.other?.access_token, user.key?.secret].filter(Boolean)) {
    for (const path of ['/user/profile', '/user/config', '/usage/logs']) assert.equal((await get(platform, path, { token })).status, 401, path);
    assert.equal((await chat(platform, token)).status, 401);
  }
  for (const refresh_token of [user.refresh_token, user.other?.refresh_token].filter(Boolean)) assert.equal((await post(platform, '/auth/refresh', { refresh_token })).status, 401);
  assertProblem(await login(user), 401, 'invalid_credentials');
}

test('an export has a row of everything about the user, nothing of anybody else, and no secret', async () => {
  const [user, other] = [await busyUser(NAMES[0]), await busyUser(NAMES[0])];
  await waitForMails(platform, user.email, 'verify_email');
  await eventually('the log has all', async () => (await logs(platform, user.access_token)).length === 3);
  const answer = await get(platform, '/user/export', { token: user.access_token });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-disposition'), /attachment/);
  const { tenants, user_id, invitations_to_you } = answer.data;
  assert.deepEqual([user_id, tenants.length, invitations_to_you], [user.user.id, 1, []]);
  const [{ tenant_id, tables, meters }] = tenants;
  assert.equal(tenant_id, user.tenant.id);
  const count = Object.fromEntries(Object.entries(tables).map(([table, rows]) => [table, rows.length]));
  assert.deepEqual([count.tenants, count.users, count.user_configs, count.sessions, count.api_keys, count.subscriptions], [1, 1, 1, 2, 1, 1]);
  assert.deepEqual([tables.users[0].email, tables.users[0].name, JSON.parse(tables.user_configs[0].settings)], [user.email, NAMES[0], { theme: `of ${user.email}` }]);
  assert.equal(tables.sessions[0].user_agent !== undefined, true);
  assert.equal(tables.api_keys[0].key_id, user.key.id);
  const [meter] = meters;
  assert.equal(tables.usage_events.length + meter.not_in_the_tables_yet.length, 3);
  assert.deepEqual([meter.product, meter.standings.find(({ meter }) => meter === 'requests').used], ['agent', 3]);
  const actions = tables.audit.map(({ action }) => action);
  for (const action of ['account.register', 'account.sign_in', 'account.profile_change', 'api_key.create', 'account.export', 'account.password_forgot']) assert.ok(actions.includes(action), `${action}: ${actions}`);
  for (const secret of [user.key.secret, user.refresh_token, user.access_token, PASSWORD, 'argon2']) assert.ok(!answer.text.includes(secret));
  for (const foreign of [other.user.id, other.tenant.id, other.email, other.key.id]) assert.ok(!answer.text.includes(foreign));
  // A key does not export its user.
  assertProblem(await get(platform, '/user/export', { token: user.key.secret }), 403);
});

test('who is alone is deleted with the tenant, everywhere, and only they', async () => {
  const user = await busyUser(NAMES[1]);
  const bystander = await busyUser(NAMES[2]);
  await waitForMails(platform, user.email, 'verify_email');
  await eventually('KV has a copy', async () => {
    const { headers } = await get(platform, '/usage/quota', { token: user.access_token });
    const { data } = await get(platform, `/__dev/cost/${headers.get('x-request-id')}`);
    return data?.kv_reads === 1 && data.durable_object_calls === 0;
  }, 20_000);
  const about = [user.email, NAMES[1], user.user.id, user.key.id];
  const before = await search([...about, user.tenant.id]);
  for (const store of ['d1', 'kv', 'do']) assert.ok(before.some((hit) => hit.startsWith(store)), `${store} has something before: ${before.length}`);
  assertProblem(await remove(user, { password: 'not the right one at all' }), 401, 'invalid_credentials');
  assertProblem(await remove(user, {}), 422, 'invalid_input');
  assertProblem(await call(platform, 'DELETE', '/user', { headers: bearer(user.key.secret), body: { password: PASSWORD } }), 403);
  const answer = await remove(user);
  assert.equal(answer.status, 202, answer.text);
  assert.match(answer.data.id, /^del_/);
  await assertGone(user);
  // The address is free with the answer.
  const again = await register(platform, { email: user.email, name: 'Somebody Else' });
  assert.notEqual(again.user.id, user.user.id);
  const rows = await proven(answer.data.id);
  assert.equal(rows.length, 1);
  const left = await search([NAMES[1], user.user.id, user.key.id]);
  assert.deepEqual(left, []);
  // The tenant's id stands in its proof and in the one entry of its log.
  const tenant = await search([user.tenant.id]);
  assert.deepEqual([...new Set(tenant.map((hit) => /: (\w+)\./.exec(hit)[1]))].sort(), ['audit', 'deletions']);
  // The proof is what it says, and the log names it.
  const [row] = rows;
  assert.equal(row.proof_hash, sha256('deletion proof', row.proof));
  const proof = JSON.parse(row.proof);
  assert.deepEqual([proof.deletion, proof.subject, proof.extent], [answer.data.id, sha256('deletion subject', user.user.id), 'tenant']);
  assert.deepEqual([proof.removed.d1.users, proof.removed.d1.sessions, proof.removed.d1.api_keys, proof.removed.d1.user_configs, proof.removed.d1.identities], [1, 2, 1, 1, 1]);
  assert.ok(proof.removed.kv.copies >= 1 && proof.removed.usage_meter.objects >= 1 && /^[0-9a-f]{64}$/.test(proof.audit_head));
  assert.deepEqual([row.user_id, row.email, row.name, row.others], [null, null, null, '']);
  const log = await stopped((database) => database.prepare('SELECT action, body FROM audit WHERE tenant_id = ?').all(user.tenant.id));
  assert.deepEqual(log.map(({ action, body }) => [action, JSON.parse(body).details.proof]), [['account.delete', row.proof_hash]]);
  // The bystander has everything still.
  assert.equal((await chat(platform, bystander.key.secret)).status, 200);
  assert.equal((await logs(platform, bystander.access_token)).length >= 3, true);
  assert.equal((await get(platform, '/user/profile', { token: again.access_token })).status, 200);
});

test('a member is deleted from a team, whose bill stays; the only owner hands over first', async () => {
  const [owner] = await teams('Olive Owner');
  const joining = await busyUser(NAMES[3]);
  const home = joining.tenant.id;
  const member = await join_(owner, joining);
  const key = (await post(platform, '/user/api-keys', { name: 'k', scopes: ['chat'] }, { token: member.access_token })).data;
  for (const credential of [member.access_token, key.secret, member.access_token]) assert.equal((await chat(platform, credential)).status, 200);
  await eventually('all is settled', async () => (await logs(platform, member.access_token)).length === 3);
  assertProblem(await remove(owner), 409, 'last_owner');
  const exported = (await get(platform, '/user/export', { token: member.access_token })).data;
  assert.deepEqual(exported.tenants.map(({ tenant_id }) => tenant_id), [owner.tenant.id, home]);
  assert.equal(exported.tenants[1].tables.usage_events.length + exported.tenants[1].meters[0].not_in_the_tables_yet.length, 3);

  // At once: what the queue has not brought yet is handed over by the deletion.
  const answer = await remove(member);
  assert.equal(answer.status, 202, answer.text);
  await assertGone({ ...member, other: undefined, key });
  const rows = await proven(answer.data.id);
  assert.deepEqual(rows.map(({ tenant_id, extent }) => [tenant_id, extent]).sort(), [[owner.tenant.id, 'member'], [home, 'tenant']].sort());
  const mine = rows.find(({ extent }) => extent === 'member');
  const events = await stopped((database) => database.prepare('SELECT user_id, requests, api_key_id FROM usage_events WHERE tenant_id = ?').all(owner.tenant.id).map((row) => ({ ...row })));
  assert.deepEqual(events, Array(3).fill({ user_id: mine.pseudonym, requests: 1, api_key_id: null }));
  assert.equal((await logs(platform, owner.access_token)).length, 3, 'the team sees what it pays for');
  const left = await search([member.email, NAMES[3], key.id, joining.key.id, member.user.id]);
  // The team's log is append-only: it names the id, which leads to nobody, and the pool's ledger has its totals by it.
  const places = new Set(left.map((hit) => `${hit.split(' ')[0]} ${/: (\w+)\./.exec(hit)[1]}`));
  assert.deepEqual([...places].filter((place) => !['d1 audit', 'do ledger', 'do checkpoint'].includes(place)), [], left.join('\n'));
  assert.ok(left.every((hit) => !hit.includes(member.email) && !hit.includes(NAMES[3])), left.filter((hit) => hit.includes(member.email) || hit.includes(NAMES[3])).join('\n'));
  // Handed over, the owner may go, too.
  const heir = await join_(owner, await register(platform));
  assert.equal((await patch(platform, `/team/members/${heir.user.id}`, { role: 'owner' }, { token: owner.access_token })).status, 200);
  assert.equal((await remove(owner)).status, 202);
  assert.equal((await chat(platform, heir.access_token)).status, 200, 'the team has its plan still');
});

test('a deletion that is killed in the middle goes on by schedule', async (t) => {
  let unfinished = 0;
  for (const pause of [5, 60, 200]) {
    const user = await busyUser(NAMES[1]);
    const sent = remove(user).catch((error) => error);
    await new Promise((done) => setTimeout(done, pause));
    await platform.killWorkerd();
    const answer = await sent;
    const state = await stopped((database) => database.prepare('SELECT deletion_id, state FROM deletions WHERE subject = ?').get(sha256('deletion subject', user.user.id)));
    if (!state) {
      // Nothing had happened yet: it is asked for again.
      assert.notEqual(answer.status, 202);
      const again = await eventually('the platform is back', async () => {
        const signedIn = await login(user);
        return signedIn.status === 200 && signedIn.data;
      });
      const retried = await remove({ ...user, ...again });
      assert.equal(retried.status, 202, retried.text);
      await proven(retried.data.id);
    } else {
      if (state.state !== 'proven') unfinished += 1;
      await assertGone(user);
      await proven(state.deletion_id);
    }
    assert.deepEqual(await search([user.user.id, user.email, NAMES[1]]), [], `after ${pause} ms`);
  }
  t.diagnostic(`${unfinished} of 3 were killed in the middle`);
});

test('every state that a deletion can be left in is gone on from', async () => {
  const states = ['requested', 'unlisted', 'stopped', 'unbilled', 'emptied', 'cleared', 'erased'];
  for (const state of states) {
    const user = await register(platform, { name: NAMES[1] });
    await chat(platform, user.access_token);
    await settledQuota(platform, user.access_token);
    const id = `del_${user.user.id.slice(4)}`;
    // As the request leaves it, and as if all steps up to the state had been done before: doing one again does no harm.
    await stopped((database) => {
      database.prepare("INSERT INTO deletions (tenant_id, deletion_id, subject, extent, state, removed, requested_at, user_id, email, name, verified, others, pseudonym) VALUES (?, ?, ?, 'tenant', ?, '{}', ?, ?, ?, ?, 0, '', ?)")
        .run(user.tenant.id, id, sha256('deletion subject', user.user.id), 'requested', Date.now(), user.user.id, user.email, NAMES[1], user.user.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')));
      database.prepare('DELETE FROM users WHERE user_id = ?').run(user.user.id);
    });
    await proven(id);
    assert.deepEqual(await search([user.user.id, user.email]), []);
    await stopped((database) => database.prepare("UPDATE deletions SET state = ?, user_id = ?, finished_at = NULL WHERE deletion_id = ?").run(state, user.user.id, id));
    const [row] = await proven(id);
    assert.equal(row.proof_hash, sha256('deletion proof', row.proof), state);
  }
});

test('a password that is tried too often is slowed down', async () => {
  const user = await register(platform);
  const answers = [];
  for (let n = 0; n < 7; n++) answers.push((await remove(user, { password: 'not the right one at all' })).status);
  assert.deepEqual(answers.slice(0, 5), Array(5).fill(401));
  assert.equal(answers.at(-1), 429);
  assert.equal((await get(platform, '/user/profile', { token: user.access_token })).status, 200);
});

test('no panic', () => platform.assertNoPanic());
