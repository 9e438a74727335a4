// What a request costs, counted where it happens: these counts are the bill.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKeys } from '../../tools/settings.mjs';
import { startPlatform } from '../../tools/platform.mjs';
import { assertProblem, call, chat, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));
upstream.answers('stream', ({ stream }) => stream([openai.text('At the gate.'), openai.finish(), openai.usage(10, 5), openai.done()]));
upstream.answers('broken', ({ json }) => json(500, { error: { message: 'no' } }));

const wholeCostOf = async (answer) => {
  const id = answer.headers.get('x-request-id');
  const { status, data, text } = await get(platform, `/__dev/cost/${id}`);
  assert.equal(status, 200, text);
  return data;
};
/** Without the rows inside the meter, which `growth.test.mjs` is about. */
const costOf = async (answer) => {
  const { meter_rows_read: read, meter_rows_written: written, ...cost } = await wholeCostOf(answer);
  assert.ok(Number.isInteger(read) && Number.isInteger(written));
  return cost;
};
const NOTHING = { durable_object_calls: 0, d1_statements: 0, d1_rows_read: 0, d1_rows_written: 0, kv_reads: 0, kv_writes: 0, fetches: 0 };

const METERED = {
  'a completion': { model: 'openai/small', fetches: 1 },
  'a stream': { model: 'openai/stream', stream: true, fetches: 1 },
  'an answer of tollgate/extractive': { model: 'tollgate/extractive', fetches: 0 },
  'a stream of tollgate/extractive': { model: 'tollgate/extractive', stream: true, fetches: 0 },
};
for (const [name, { fetches, ...body }] of Object.entries(METERED)) {
  test(`${name}: one object call before the provider, one after, and nothing else`, async () => {
    const user = await register(platform);
    const answer = await chat(platform, user.access_token, body);
    assert.equal(answer.status, 200, answer.text);
    await settledQuota(platform, user.access_token);
    assert.deepEqual(await costOf(answer), { ...NOTHING, durable_object_calls: 2, fetches });
  });
}

test('with an idempotency key it is the same, and a replay is one call', async () => {
  const user = await register(platform);
  const headers = { 'idempotency-key': 'one' };
  const first = await chat(platform, user.access_token, { model: 'openai/small', headers });
  await settledQuota(platform, user.access_token);
  assert.deepEqual(await costOf(first), { ...NOTHING, durable_object_calls: 2, fetches: 1 });
  const replay = await chat(platform, user.access_token, { model: 'openai/small', headers });
  assert.equal(replay.headers.get('idempotent-replayed'), 'true');
  assert.deepEqual(await costOf(replay), { ...NOTHING, durable_object_calls: 1 });
});

test('a refusal is one object call', async () => {
  const user = await register(platform);
  const answer = await chat(platform, user.access_token, { model: 'openai/small', max_tokens: 60_000 });
  assert.equal(answer.status, 429);
  assert.deepEqual(await costOf(answer), { ...NOTHING, durable_object_calls: 1 });
});

test('a provider\'s error is one call before and one after', async () => {
  const user = await register(platform);
  const answer = await chat(platform, user.access_token, { model: 'openai/broken' });
  assert.equal(answer.status, 503);
  await settledQuota(platform, user.access_token);
  assert.deepEqual(await costOf(answer), { ...NOTHING, durable_object_calls: 2, fetches: 1 });
});

test('what is refused before the meter costs nothing', async () => {
  const user = await register(platform);
  for (const answer of [await chat(platform, undefined), await chat(platform, user.access_token, { model: 'nobody/knows' }), await chat(platform, user.access_token, { temperature: 'hot' }), await get(platform, '/v1/models', { token: user.access_token })]) {
    assert.deepEqual(await costOf(answer), NOTHING, answer.text.slice(0, 100));
  }
});

test('a busy user\'s settles and reserves travel together: at most 1.2 object calls a request', async () => {
  // 2 users of 100 requests each, 8 at a time: the trial has 120.
  const counts = [];
  for (let round = 0; round < 2; round++) {
    const user = await register(platform);
    const answers = [];
    let left = 100;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (left-- > 0) answers.push(await chat(platform, user.access_token, { model: 'openai/small', max_tokens: 20 }));
      }),
    );
    assert.equal(answers.length, 100);
    assert.ok(answers.every(({ status }) => status === 200));
    const { requests } = await settledQuota(platform, user.access_token);
    assert.equal(requests.used, 100, 'and all of them are settled');
    counts.push(...(await Promise.all(answers.map(costOf))));
  }
  const calls = counts.reduce((sum, { durable_object_calls: n }) => sum + n, 0);
  assert.ok(calls <= 1.2 * counts.length, `${calls} object calls for ${counts.length} requests`);
  assert.ok(calls > 0, 'counted at all');
  assert.equal(counts.reduce((sum, { d1_statements: n, kv_reads: reads, kv_writes: writes }) => sum + n + reads + writes, 0), 0);
});

test('so it is with one user on 8 connections, and on 32', async (t) => {
  const own = await withPlatform({ env: upstream.env, test: t });
  const user = await register(own);
  await own.restart({ whileStopped: () => subscribe(own.stateDir, [{ ...user, limits: { requests: 'unlimited', tokens: 'unlimited' } }]) });
  assert.equal((await chat(own, user.access_token)).status, 200, 'the meter has asked for its plan');
  for (const connections of [8, 32]) {
    const ids = [];
    let left = 500;
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (left-- > 0) {
          const answer = await chat(own, user.access_token, { model: 'openai/small', max_tokens: 20 });
          assert.equal(answer.status, 200, answer.text);
          ids.push(answer.headers.get('x-request-id'));
        }
      }),
    );
    await settledQuota(own, user.access_token);
    const counts = await Promise.all(ids.map(async (id) => (await get(own, `/__dev/cost/${id}`)).data));
    const calls = counts.reduce((sum, { durable_object_calls: n }) => sum + n, 0);
    t.diagnostic(`${connections} connections: ${(calls / ids.length).toFixed(3)} object calls a request`);
    assert.equal(ids.length, 500);
    assert.ok(calls <= 1.2 * ids.length, `${calls} object calls for ${ids.length} requests on ${connections} connections`);
  }
  own.assertNoPanic();
});

test('an authenticated read is one D1 statement that reads few rows, however many users there are', async () => {
  const user = await register(platform);
  const profile = await costOf(await get(platform, '/user/profile', { token: user.access_token }));
  assert.deepEqual({ ...profile, d1_rows_read: 0 }, { ...NOTHING, d1_statements: 1 });
  assert.ok(profile.d1_rows_read >= 1 && profile.d1_rows_read <= 10, `${profile.d1_rows_read} rows`);
  for (let n = 0; n < 20; n++) await register(platform);
  const later = await costOf(await get(platform, '/user/profile', { token: user.access_token }));
  assert.deepEqual(later, profile);
});

test('usage takes one call of the meter, and the log two statements beside it: the role and the rows', async () => {
  const user = await register(platform);
  const quota = await costOf(await get(platform, '/usage/quota?fresh=true', { token: user.access_token }));
  assert.deepEqual(quota, { ...NOTHING, durable_object_calls: 1 });
  const log = await costOf(await get(platform, '/usage/logs', { token: user.access_token }));
  assert.deepEqual({ ...log, d1_rows_read: 0 }, { ...NOTHING, durable_object_calls: 1, d1_statements: 2 });
  assert.ok(log.d1_rows_read <= 4, `${log.d1_rows_read} rows for an empty log`);
});

test('registration and sign-in take few statements, however many users there are', async () => {
  const measure = async () => {
    const email = `cost-${crypto.randomUUID()}@example.com`;
    const password = 'a long and quiet password 42';
    const registered = await costOf(await post(platform, '/auth/register', { email, password }));
    const signedIn = await costOf(await post(platform, '/auth/login', { email, password }));
    return { registered, signedIn };
  };
  const first = await measure();
  assert.ok(first.registered.d1_statements >= 1 && first.signedIn.d1_statements >= 1, 'counted at all');
  assert.deepEqual([first.registered.durable_object_calls, first.signedIn.durable_object_calls], [3, 2], 'the plan is pushed to the meter; mails to the mailbox, attempts and successes are counted');
  for (let n = 0; n < 20; n++) await register(platform);
  assert.deepEqual(await measure(), first);
});

test('a cost is asked for by the id of a request, and by nothing else', async () => {
  for (const id of ['', 'x', 'req_', 'req_01a1fc4d-91b7-7468-83de-476cde24890d?x=1', '%2e%2e%2fhealth']) {
    const answer = await get(platform, `/__dev/cost/${id}`);
    assert.ok([400, 404].includes(answer.status), `${id}: ${answer.status} ${answer.text}`);
  }
  assertProblem(await get(platform, '/__dev/cost/req_01a1fc4d-91b7-7468-83de-476cde24890d'), 404, 'not_found');
});

test('in any other environment /__dev/* is absent and the clock cannot be shifted', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const log = [];
  const port = await freePort();
  const production = await startPlatform({
    port,
    stateDir,
    environment: 'production',
    settings: { ...generateKeys(), PUBLIC_URL: `http://127.0.0.1:${port}`, CLOCK_OFFSET_SECONDS: '864000' },
    log: ({ message }) => log.push(message),
  });
  t.after(() => production.stop());
  const user = await register(production);
  assert.ok(Math.abs(Date.parse(user.user.created_at) - Date.now()) < 60_000, 'the offset is not heeded');
  const answer = await chat(production, user.access_token);
  assert.equal(answer.status, 200, answer.text);
  const id = answer.headers.get('x-request-id');
  for (const [method, path] of [['GET', `/__dev/cost/${id}`], ['GET', `/v1/__dev/cost/${id}`], ['GET', '/__dev/outbox'], ['POST', '/__dev/cron'], ['GET', '/__dev/'], ['GET', '/__dev']]) {
    assertProblem(await call(production, method, path, { token: user.access_token, body: method === 'POST' ? '{}' : undefined }), 404, 'not_found');
  }
  assert.doesNotMatch(log.join('\n'), /panicked|RuntimeError/);
});

test('nothing panicked', () => platform.assertNoPanic());
