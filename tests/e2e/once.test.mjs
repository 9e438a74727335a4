// An Idempotency-Key on calls that change the database: done once, answered the same, nobody else's.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
const user = await register(platform);

const KEY_IN = { name: 'nightly', scopes: ['usage:read'] };
const make = (key, { who = user, body = KEY_IN } = {}) =>
  post(platform, '/user/api-keys', body, { token: who.access_token, headers: { 'idempotency-key': key } });
const keysOf = async (who) => (await get(platform, '/user/api-keys?limit=100', { token: who.access_token })).data.data;

test('the same key gets the same answer, secret and all, and one API key is made', async () => {
  const key = randomUUID();
  const first = await make(key);
  assert.equal(first.status, 201, first.text);
  assert.equal(first.headers.get('idempotent-replayed'), null);
  const again = await make(key);
  assert.deepEqual([again.status, again.data], [201, first.data]);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.equal((await keysOf(user)).filter(({ id }) => id === first.data.id).length, 1);
  const other = await make(randomUUID());
  assert.notEqual(other.data.id, first.data.id, 'another key is another API key');
});

test('twenty at once make one API key', async () => {
  const owner = await register(platform);
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 20 }, () => make(key, { who: owner })));
  const made = answers.filter(({ status }) => status === 201);
  assert.ok(made.length >= 1);
  assert.equal(new Set(made.map(({ data }) => data.secret)).size, 1);
  for (const answer of answers.filter(({ status }) => status !== 201)) {
    assertProblem(answer, 503, 'idempotency_key_in_progress');
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  }
  assert.equal((await keysOf(owner)).length, 1);
});

test('another request under the same key is refused, and so is a key of another shape', async () => {
  const key = randomUUID();
  assert.equal((await make(key)).status, 201);
  assertProblem(await make(key, { body: { ...KEY_IN, name: 'other' } }), 422, 'idempotency_key_reused');
  const rotated = await post(platform, `/user/api-keys/${(await keysOf(user))[0].id}/rotate`, {}, { token: user.access_token, headers: { 'idempotency-key': key } });
  assertProblem(rotated, 422, 'idempotency_key_reused');
  assertProblem(await make('x'.repeat(256)), 400, 'bad_request');
});

test('a key is its user\'s: somebody else\'s request under it is done', async () => {
  const stranger = await register(platform);
  const key = randomUUID();
  const mine = await make(key);
  const theirs = await make(key, { who: stranger });
  assert.equal(theirs.status, 201);
  assert.equal(theirs.headers.get('idempotent-replayed'), null);
  assert.notEqual(theirs.data.secret, mine.data.secret);
});

test('a rotation under a key is done once', async () => {
  const { data: made } = await make(randomUUID());
  const rotate = (key) => post(platform, `/user/api-keys/${made.id}/rotate`, {}, { token: user.access_token, headers: { 'idempotency-key': key } });
  const key = randomUUID();
  const first = await rotate(key);
  assert.equal(first.status, 201, first.text);
  assert.deepEqual((await rotate(key)).data, first.data);
  assertProblem(await rotate(randomUUID()), 409, 'conflict');
});

test('what was refused is not kept: the next try is looked at', async () => {
  const key = randomUUID();
  const invite = () => post(platform, '/team/invites', { email: 'grace@example.com', role: 'member' }, { token: user.access_token, headers: { 'idempotency-key': key } });
  for (let i = 0; i < 2; i++) {
    const refused = await invite();
    assertProblem(refused, 403, 'plan_lacks_feature');
    assert.equal(refused.headers.get('idempotent-replayed'), null);
  }
});

test('answers are kept sealed, for a day; broken-off work is taken over after a minute', async () => {
  const owner = await register(platform);
  const key = randomUUID();
  const first = await make(key, { who: owner });
  const breakOff = () => withDatabase(platform.stateDir, (database) => {
    for (const row of database.prepare('SELECT * FROM idempotent_answers').all()) {
      assert.ok(!JSON.stringify(row).includes('tg_live_'), 'no secret in the clear');
    }
    const row = database.prepare('SELECT * FROM idempotent_answers WHERE user_id = ?').get(owner.user.id);
    assert.ok(row.answer.startsWith('v1.'));
    // As if the first request had broken off before its answer.
    database.prepare('UPDATE idempotent_answers SET status = NULL, answer = NULL WHERE user_id = ?').run(owner.user.id);
  });
  await platform.restart({ whileStopped: breakOff });
  assertProblem(await make(key, { who: owner }), 503, 'idempotency_key_in_progress');
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '61' } });
  const second = await make(key, { who: owner });
  assert.equal(second.status, 201);
  assert.notEqual(second.data.id, first.data.id);
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(24 * 60 * 60 + 62) } });
  const { data: fresh } = await post(platform, '/auth/login', { email: owner.email, password: owner.password });
  const third = await make(key, { who: fresh });
  assert.equal(third.status, 201);
  assert.equal(third.headers.get('idempotent-replayed'), null, 'a day later the key is free');
});

test('who asks for what is not theirs stands in the audit log', async () => {
  const owner = await register(platform);
  const { data: limited } = await make(randomUUID(), { who: owner });
  assertProblem(await get(platform, '/user/api-keys', { token: limited.secret }), 403, 'forbidden');
  let entry;
  for (let tries = 0; !entry && tries < 40; tries++) {
    await new Promise((done) => setTimeout(done, 50));
    const { data } = await get(platform, '/audit?action=access.deny', { token: owner.access_token });
    entry = data.data[0];
  }
  assert.deepEqual([entry.actor.id, entry.outcome, entry.target], [limited.id, 'denied', { kind: 'operation', id: 'GET /user/api-keys' }]);
});

test('nothing panicked', () => platform.assertNoPanic());
