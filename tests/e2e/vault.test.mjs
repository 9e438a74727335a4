// The vault: sealed values open in their place and nowhere else, and the master key changes under a running platform.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEnv } from 'node:util';
import { generateMasterKey } from '../../tools/settings.mjs';
import { earlyInTheStep, switchOn } from '../harness/authenticator.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { masterKeys, openDataKey, openValue, sealDataKey, versionOf } from '../harness/vault.mjs';

const login = (platform, user, totp) => post(platform, '/auth/login', { email: user.email, password: user.password, totp });
const settingOf = (platform) => parseEnv(readFileSync(join(platform.stateDir, 'secrets.env'), 'utf8')).MASTER_KEYS;
const all = (platform, sql, ...values) => withDatabase(platform.stateDir, (database) => database.prepare(sql).all(...values));
/** Looks at the database, and may change it, while the platform stands still. */
async function meanwhile(platform, work, env) {
  let found;
  await platform.restart({ env, whileStopped: () => (found = withDatabase(platform.stateDir, work)) });
  return found;
}
const runJob = async (platform) => {
  const { status, data, text } = await post(platform, '/__dev/cron', { cron: 'rewrap_data_keys' });
  assert.equal(status, 200, text);
  return data;
};

test('a secret is sealed for its tenant, its user and its column, in the format that is written down', async (t) => {
  const platform = await withPlatform({ test: t });
  const users = [await register(platform), await register(platform)];
  const on = [await switchOn(platform, users[0]), await switchOn(platform, users[1])];
  const masters = masterKeys(settingOf(platform));
  const rows = await meanwhile(platform, () => ({ keys: all(platform, 'SELECT * FROM data_keys'), factors: all(platform, 'SELECT * FROM second_factors') }));
  assert.equal(rows.keys.length, 2);
  const opened = users.map((user) => {
    const tenant = user.tenant.id;
    const key = rows.keys.find((row) => row.tenant_id === tenant);
    assert.deepEqual([key.version, key.master_version, versionOf(key.sealed)], [1, 1, 1]);
    const { secret } = rows.factors.find((row) => row.user_id === user.user.id);
    return { tenant, key, secret, dataKey: openDataKey(masters, tenant, key.sealed), place: { table: 'second_factors', column: 'secret', row: user.user.id } };
  });
  const [mine, theirs] = opened;
  for (const [n, { dataKey, tenant, place, secret }] of opened.entries()) {
    assert.equal(openValue(dataKey, tenant, place, secret).toString('hex'), on[n].app.uri.secret.hex.toLowerCase());
    assert.throws(() => openValue(dataKey, tenant, { ...place, row: users[1 - n].user.id }, secret));
    assert.throws(() => openValue(dataKey, tenant, { ...place, column: 'recovery_codes' }, secret));
  }
  assert.notDeepEqual(mine.dataKey, theirs.dataKey);
  assert.throws(() => openDataKey(masters, mine.tenant, theirs.key.sealed));

  // Somebody who writes to the database puts what they know in the place of what they do not. Nobody is let in by it, and nothing
  // is said.
  const attacks = {
    "another user's secret in this row": ['UPDATE second_factors SET secret = ? WHERE user_id = ?', theirs.secret, users[0].user.id],
    'the same, said to be sealed for the other tenant': ['UPDATE second_factors SET secret = ?, sealed_for = ? WHERE user_id = ?', theirs.secret, theirs.tenant, users[0].user.id],
    "another tenant's data key": ['UPDATE data_keys SET sealed = ? WHERE tenant_id = ?', theirs.key.sealed, mine.tenant],
    'a flipped bit': ['UPDATE second_factors SET secret = ? WHERE user_id = ?', `${mine.secret.slice(0, -3)}${mine.secret.at(-3) === 'A' ? 'B' : 'A'}${mine.secret.slice(-2)}`, users[0].user.id],
    'no ciphertext at all': ['UPDATE second_factors SET secret = ? WHERE user_id = ?', on[1].secret, users[0].user.id],
  };
  const putBack = (database) => {
    database.prepare('UPDATE second_factors SET secret = ?, sealed_for = ? WHERE user_id = ?').run(mine.secret, mine.tenant, users[0].user.id);
    database.prepare('UPDATE data_keys SET sealed = ? WHERE tenant_id = ?').run(mine.key.sealed, mine.tenant);
  };
  for (const [what, [sql, ...values]] of Object.entries(attacks)) {
    await meanwhile(platform, (database) => {
      putBack(database);
      assert.equal(database.prepare(sql).run(...values).changes, 1, what);
    });
    for (const { app } of on) assertProblem(await login(platform, users[0], app.code()), 503, 'dependency_unavailable');
    assertProblem(await login(platform, users[0]), 401, 'totp_required');
  }
  await meanwhile(platform, putBack);
  await platform.waitForLog(/second_factors\.secret of ten_.* does not open here/);
  await earlyInTheStep();
  assert.equal((await login(platform, users[0], on[0].app.code())).status, 200, 'put back, it opens');
  platform.assertNoPanic();
});

test("a tenant's data key is made once, by however many requests at the same time", async (t) => {
  const platform = await withPlatform({ test: t });
  const user = await register(platform);
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(platform, '/auth/totp/enroll', { password: user.password }, { token: user.access_token })));
  for (const { status, text } of answers) assert.equal(status, 200, text);
  const masters = masterKeys(settingOf(platform));
  const { keys, factor } = await meanwhile(platform, () => ({ keys: all(platform, 'SELECT * FROM data_keys'), factor: all(platform, 'SELECT * FROM second_factors')[0] }));
  assert.equal(keys.length, 1);
  // Whichever secret came last, it is under that key.
  openValue(openDataKey(masters, user.tenant.id, keys[0].sealed), user.tenant.id, { table: 'second_factors', column: 'secret', row: user.user.id }, factor.secret);
  platform.assertNoPanic();
});

test('the master key changes: interrupted, resumed, run twice; then the old one is taken out and everything opens', async (t) => {
  const platform = await withPlatform({ test: t });
  const user = await register(platform);
  const { recoveryCodes, app } = await switchOn(platform, user);
  const old = settingOf(platform);
  const next = generateMasterKey(2);
  const [oldKeys, nextKeys] = [masterKeys(old), masterKeys(next)];

  // Twelve hundred more tenants, sealed by somebody else's AES-GCM.
  const others = Array.from({ length: 1_200 }, () => ({ tenant: `ten_${randomUUID()}`, key: randomBytes(32) }));
  await meanwhile(platform, (database) => {
    const add = database.prepare('INSERT INTO data_keys (tenant_id, version, master_version, sealed, created_at) VALUES (?, 1, 1, ?, 0)');
    database.exec('BEGIN');
    for (const { tenant, key } of others) add.run(tenant, sealDataKey(oldKeys, 1, tenant, 1, key));
    database.exec('COMMIT');
  });
  const before = await meanwhile(platform, () => all(platform, 'SELECT * FROM data_keys'));
  assert.equal(before.length, 1_201);
  assert.deepEqual(await runJob(platform), { job: 'rewrap_data_keys', ok: true, done: 0, more: false, outcome: 'done' }, 'with one master key there is nothing to do');

  // The new one is added: what is under the old one opens, what is sealed from now on is under the new one.
  await platform.restart({ env: { MASTER_KEYS: `${old},${next}` } });
  await earlyInTheStep();
  assert.equal((await login(platform, user, app.code())).status, 200);
  const newcomer = await register(platform);
  await switchOn(platform, newcomer);

  // As if two minutes had passed: so long a run that was killed holds its job.
  const letGo = (database) => {
    database.exec('DELETE FROM job_states');
    return all(platform, 'SELECT * FROM data_keys');
  };
  // Killed in the middle, at several moments.
  let behind = before.length;
  for (const ms of [30, 60, 120]) {
    const run = runJob(platform).catch((error) => error);
    await sleep(ms);
    await platform.killWorkerd();
    await run;
    const rows = await meanwhile(platform, letGo);
    for (const { sealed, master_version: said } of rows) assert.equal(versionOf(sealed), said, 'the column says what the ciphertext does');
    const left = rows.filter(({ master_version: version }) => version === 1).length;
    assert.ok(left <= behind);
    t.diagnostic(`killed after ${ms} ms: ${left} of ${behind} are still under the old key`);
    behind = left;
  }
  // Resumed, twice at once: each key is stored anew once.
  let done = 0;
  for (let runs = 0; ; runs++) {
    assert.ok(runs < 10);
    const both = await Promise.all([runJob(platform), runJob(platform)]);
    for (const run of both) assert.equal(run.ok, true);
    done += both.reduce((sum, run) => sum + run.done, 0);
    if (both.some((run) => run.outcome === 'done')) break;
  }
  assert.equal(done, behind);
  assert.deepEqual(await runJob(platform), { job: 'rewrap_data_keys', ok: true, done: 0, more: false, outcome: 'done' });

  // The old one is gone.
  const after = await meanwhile(platform, () => all(platform, 'SELECT * FROM data_keys'), { MASTER_KEYS: next });
  assert.equal(after.length, before.length + 1);
  const sealedOf = new Map(after.map((row) => [row.tenant_id, row.sealed]));
  for (const { tenant, key } of others) assert.deepEqual(openDataKey(nextKeys, tenant, sealedOf.get(tenant)), key, 'the same data key, under the new master key');
  assert.equal((await login(platform, user, recoveryCodes[0])).status, 200);
  await earlyInTheStep();
  assert.equal((await login(platform, user, app.code(1))).status, 200, 'values stay as they are and open');
  platform.assertNoPanic();
});

test('a master key that is taken out too early is missed, and nothing is lost', async (t) => {
  const platform = await withPlatform({ test: t });
  const user = await register(platform);
  const { app } = await switchOn(platform, user);
  const old = settingOf(platform);
  const next = generateMasterKey(2);
  const tenant = `ten_${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}`;
  // A row that opens with no key at all comes first.
  await meanwhile(platform, (database) => database.prepare("INSERT INTO data_keys VALUES (?, 1, 1, 'v1.1.AAAAAAAAAAAAAAAA.AAAA', 0)").run(tenant), { MASTER_KEYS: next });
  const code = app.code();
  assertProblem(await login(platform, user, code), 503, 'dependency_unavailable');
  assert.deepEqual(await runJob(platform), { job: 'rewrap_data_keys', ok: false, done: 0, more: true, outcome: 'failed' });
  await platform.restart({ env: { MASTER_KEYS: `${old},${next}` } });
  // What opens is brought along; that something does not is said.
  assert.equal((await runJob(platform)).ok, false);
  await platform.waitForLog(/the data key 1 of ten_00000000-.* does not open/);
  const rows = await meanwhile(platform, () => all(platform, 'SELECT tenant_id, master_version FROM data_keys'));
  assert.deepEqual(Object.fromEntries(rows.map((row) => [row.tenant_id, row.master_version])), { [tenant]: 1, [user.tenant.id]: 2 });
  await earlyInTheStep();
  assert.equal((await login(platform, user, app.code(1))).status, 200);
  // Without any master key nothing is sealed, and nobody is let in.
  await platform.restart({ env: { MASTER_KEYS: generateMasterKey(9) } });
  assertProblem(await login(platform, user, app.code()), 503, 'dependency_unavailable');
  platform.assertNoPanic();
});
