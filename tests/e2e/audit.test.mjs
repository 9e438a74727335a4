// The audit log: what stands in it, who may read it, and that a change in it is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, get, patch, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { makeTeam } from '../harness/team.mjs';

const platform = await withPlatform();

const rename = async (token, name) => assert.equal((await patch(platform, '/user/profile', { name }, { token, headers: { 'user-agent': 'test-device' } })).status, 200);

async function all(token, query = '') {
  const rows = [];
  for (let cursor; cursor !== null; ) {
    const { status, data, text } = await get(platform, `/audit?limit=2${query}${cursor ? `&cursor=${cursor}` : ''}`, { token });
    assert.equal(status, 200, text);
    assert.ok(data.data.length <= 2);
    rows.push(...data.data);
    cursor = data.next_cursor;
  }
  return rows;
}

test('a change stands in the log: who, what, on what, from where', async () => {
  const { access_token: token, user } = await register(platform);
  const before = (await all(token)).length;
  await rename(token, 'Ada');
  const [entry, ...older] = await all(token);
  assert.equal(older.length, before);
  assert.equal(entry.seq, before + 1);
  assert.deepEqual([entry.actor, entry.action, entry.target, entry.outcome], [{ kind: 'user', id: user.id }, 'account.profile_change', { kind: 'user', id: user.id }, 'success']);
  assert.equal(entry.source.user_agent, 'test-device');
  assert.match(entry.source.request_id, /^req_/);
  assert.match(entry.hash, /^[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify(entry).includes('Ada'), 'what the name is does not stand in it');
});

test('it is paged and filtered', async () => {
  const { access_token: token, user } = await register(platform);
  for (let n = 0; n < 5; n++) await rename(token, `Name ${n}`);
  const rows = (await all(token, '&action=account.profile_change')).map(({ seq }) => seq);
  assert.equal(rows.length, 5);
  assert.deepEqual(rows, [...rows].sort((a, b) => b - a), 'newest first');
  assert.equal((await all(token, `&action=account.profile_change&actor=${user.id}`)).length, 5);
  assert.equal((await all(token, '&action=team.remove')).length, 0);
  assert.equal((await all(token, '&actor=usr_nobody')).length, 0);
  assert.equal((await all(token, '&from=2020-01-01&to=2021-01-01')).length, 0);
  assert.equal((await all(token, '&action=account.profile_change&from=2020-01-01')).length, 5);
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=0', 'cursor=x', 'from=yesterday', 'from=2026-02-02&to=2026-02-01']) {
    assertProblem(await get(platform, `/audit?${query}`, { token }), 400, 'bad_request');
  }
});

test('an export is a file, and stands in the log itself', async () => {
  const { access_token: token } = await register(platform);
  // More than are read at a time.
  for (let n = 0; n < 3; n++) await rename(token, `Name ${n}`);
  const json = await get(platform, '/audit/export?format=json', { token });
  assert.match(json.headers.get('content-disposition'), /audit\.json/);
  assert.deepEqual(json.data, (await get(platform, '/audit?limit=100', { token })).data.data);
  assert.equal(json.data[0].action, 'audit.export');
  const csv = await get(platform, '/audit/export?action=account.profile_change', { token });
  assert.match(csv.headers.get('content-type'), /^text\/csv/);
  const lines = csv.text.trimEnd().split('\r\n');
  assert.match(lines[0], /^seq,at,action,outcome,/);
  assert.equal(lines.length, 4);
  assertProblem(await get(platform, '/audit/export?format=xml', { token }), 400, 'bad_request');
});

test('entries written at the same time make one chain', async () => {
  const { access_token: token } = await register(platform);
  const answers = await Promise.all(Array.from({ length: 4 }, (_, n) => patch(platform, '/user/profile', { name: `N${n}` }, { token })));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal((await all(token, '&action=account.profile_change')).length, 4);
  const { data } = await get(platform, '/audit/verify', { token });
  assert.deepEqual([data.ok, data.broken_at], [true, null]);
});

test('nobody reads the log of another tenant', async () => {
  const [first, second] = await Promise.all([register(platform), register(platform)]);
  await rename(first.access_token, 'First');
  for (const path of ['/audit', '/audit/export?format=json', '/audit/verify', `/audit?actor=${first.user.id}`]) {
    const { status, text } = await get(platform, path, { token: second.access_token });
    assert.equal(status, 200, path);
    assert.ok(!text.includes(first.user.id) && !text.includes(first.tenant.id), path);
    assertProblem(await get(platform, path), 401, 'unauthorized');
  }
  assertProblem(await get(platform, `/audit?tenant_id=${first.tenant.id}`, { token: second.access_token }), 422, 'invalid_input');
});

test('a change in the stored log is found, and so is an end that was cut off', async () => {
  const { access_token: token, tenant } = await register(platform);
  for (let n = 0; n < 4; n++) await rename(token, `Name ${n}`);
  const { data: sound } = await get(platform, '/audit/verify', { token });
  assert.deepEqual([sound.ok, sound.broken_at], [true, null]);
  const known = `?known_rows=${sound.rows}&known_hash=${sound.head_hash}`;
  assert.equal((await get(platform, `/audit/verify${known}`, { token })).data.ok, true);
  for (const query of ['?known_rows=3', `?known_hash=${sound.head_hash}`, '?known_rows=3&known_hash=abc']) assertProblem(await get(platform, `/audit/verify${query}`, { token }), 400);
  const tamper = (sql) => platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.prepare(sql).run(tenant.id)) });

  await tamper(`DELETE FROM audit WHERE tenant_id = ? AND seq = ${sound.rows}`);
  assert.equal((await get(platform, '/audit/verify', { token })).data.ok, true, 'what is left is a chain');
  const { data: cut } = await get(platform, `/audit/verify${known}`, { token });
  assert.deepEqual([cut.ok, cut.broken_at], [false, sound.rows]);

  await tamper(`UPDATE audit SET body = replace(body, 'success', 'denied') WHERE tenant_id = ? AND seq = ${sound.rows - 2}`);
  const { data: changed } = await get(platform, '/audit/verify', { token });
  assert.deepEqual([changed.ok, changed.broken_at], [false, sound.rows - 2]);
});

test('members do not read it, and a role counts from the next request on', async () => {
  const [owner, member] = await makeTeam(platform, { members: 2, limits: { requests: { hard: 100 }, tokens: 'unlimited' } });
  const paths = ['/audit', '/audit/export', '/audit/verify'];
  for (const path of paths) {
    assertProblem(await get(platform, path, { token: member.access_token }), 403, 'forbidden');
    assert.equal((await get(platform, path, { token: owner.access_token })).status, 200);
  }
  // The tokens still say what they said.
  await platform.restart({
    whileStopped: () =>
      withDatabase(platform.stateDir, (database) => {
        database.prepare("UPDATE users SET role = 'admin' WHERE user_id = ?").run(member.user.id);
        database.prepare("UPDATE users SET role = 'member' WHERE user_id = ?").run(owner.user.id);
      }),
  });
  for (const path of paths) {
    assertProblem(await get(platform, path, { token: owner.access_token }), 403, 'forbidden');
    assert.equal((await get(platform, path, { token: member.access_token })).status, 200);
  }
  const other = `user_id=${member.user.id}`;
  for (const path of [`/usage/logs?${other}`, `/usage/summary?${other}`, `/usage/export?${other}`]) {
    assertProblem(await get(platform, path, { token: owner.access_token }), 403, 'forbidden');
    assert.equal((await get(platform, path, { token: member.access_token })).status, 200, path);
  }
  assert.equal((await chat(platform, member.access_token)).status, 200);
});

test('nothing panicked', () => platform.assertNoPanic());
