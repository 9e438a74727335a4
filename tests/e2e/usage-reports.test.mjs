// The copies of the ledger: quotas in KV, rows in D1, sums by the hour. They follow within seconds and end up equal to the meter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
for (const model of ['gpt-4o-mini', 'no-known-price']) {
  upstream.answers(model, ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));
}

const ask = (user, model, more) => chat(platform, user.access_token, { model: `openai/${model}`, ...more });
const read = async (path, user) => {
  const answer = await get(platform, path, { token: user.access_token });
  assert.equal(answer.status, 200, answer.text);
  return answer;
};
/** Access tokens live 15 minutes, also when the clock jumps. */
const signInAgain = async (who) => Object.assign(who, (await post(platform, '/auth/login', { email: who.email, password: who.password })).data);
/** Waits until the analytics copy has that many rows of the user. */
const copied = (user, rows) => eventually(`${rows} rows in the copy`, async () => (await read('/usage/summary', user)).data.total.requests === rows, 40_000);

const user = await register(platform);
for (let n = 0; n < 3; n++) assert.equal((await ask(user, 'gpt-4o-mini')).status, 200);
for (let n = 0; n < 2; n++) assert.equal((await ask(user, 'no-known-price')).status, 200);
await settledQuota(platform, user.access_token);

test('the quota is read from a copy that says how old it is', async () => {
  const costOf = async (answer) => (await read(`/__dev/cost/${answer.headers.get('x-request-id')}`, user)).data;
  // Until there is a copy the meter itself answers.
  const copy = await eventually('the copy has all five', async () => {
    const answer = await read('/usage/quota', user);
    return answer.data.data.find(({ meter }) => meter === 'requests').used === 5 && (await costOf(answer)).durable_object_calls === 0 && answer;
  }, 40_000);
  const fresh = await read('/usage/quota?fresh=true', user);
  assert.deepEqual(copy.data.data, fresh.data.data);
  assert.ok(copy.data.as_of <= fresh.data.as_of);
  const cost = await costOf(copy);
  assert.deepEqual([cost.kv_reads, cost.durable_object_calls, cost.d1_statements], [1, 0, 0]);
  assertProblem(await get(platform, '/usage/quota?fresh=perhaps', { token: user.access_token }), 400, 'bad_request');
});

test('a summary adds up by day, model, provider and user', async () => {
  await copied(user, 5);
  const by = async (group) => (await read(`/usage/summary?group_by=${group}`, user)).data;
  const day = await by('day');
  assert.deepEqual(day.data.map(({ key }) => key), [new Date().toISOString().slice(0, 10)]);
  assert.deepEqual({ ...day.total, cost_microusd: undefined }, { requests: 5, tokens: 75, emails: 0, prompt_tokens: 50, completion_tokens: 25, unpriced_requests: 2, cost_microusd: undefined });
  assert.ok(day.total.cost_microusd > 0);
  assert.deepEqual((await by('model')).data.map(({ key, requests }) => [key, requests]), [['openai/gpt-4o-mini', 3], ['openai/no-known-price', 2]]);
  assert.deepEqual((await by('provider')).data.map(({ key, tokens }) => [key, tokens]), [['openai', 75]]);
  assert.deepEqual((await by('user')).data.map(({ key }) => key), [user.user.id]);
  assert.equal(day.trend.requests_percent, null, 'there was nothing before');
  for (const query of ['group_by=week', 'from=yesterday', 'from=2026-01-02&to=2026-01-01', 'from=2020-01-01', 'user_id=somebody']) {
    assertProblem(await get(platform, `/usage/summary?${query}`, { token: user.access_token }), 400, 'bad_request');
  }
  const stranger = await register(platform);
  assert.equal((await read('/usage/summary', stranger)).data.total.requests, 0);
  assert.equal((await read(`/usage/summary?user_id=${user.user.id}`, stranger)).data.total.requests, 0, "another tenant's user");
});

test('an export has the rows of the log, as CSV and as JSON', async () => {
  const rows = await logs(platform, user.access_token);
  const json = await read('/usage/export?format=json', user);
  assert.deepEqual(json.data, rows);
  assert.match(json.headers.get('content-disposition'), /usage\.json/);
  const csv = await read('/usage/export', user);
  assert.match(csv.headers.get('content-type'), /^text\/csv/);
  const [head, ...lines] = csv.text.trimEnd().split('\r\n');
  assert.equal(head.split(',')[0], 'at');
  assert.deepEqual(lines.map((line) => line.split(',')[1]), rows.map(({ id }) => id));
  assertProblem(await get(platform, '/usage/export?format=xml', { token: user.access_token }), 400, 'bad_request');
  const nobody = await register(platform);
  assert.deepEqual((await read('/usage/export?format=json', nobody)).data, []);
});

test('the ledger is walked from its first row to its last', async () => {
  const { data } = await read('/usage/ledger/verify', user);
  assert.deepEqual([data.ok, data.broken_at], [true, null]);
  assert.ok(data.rows >= 11, 'a plan, five reservations, five settles');
  const stranger = await register(platform);
  const other = (await read('/usage/ledger/verify', stranger)).data;
  assert.notEqual(other.head_hash, data.head_hash);
});

test('sums by the hour are what the rows add up to, again and again', async () => {
  const summary = async () => {
    const { data } = await read('/usage/summary?group_by=model', user);
    return [data.total, data.data];
  };
  const fromRows = await summary();
  // The hour must be over to be rolled up.
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '3600' } });
  await signInAgain(user);
  const run = async (cron) => (await post(platform, '/__dev/cron', { cron })).data;
  const first = await run('5 * * * *');
  assert.deepEqual([first.job, first.ok, first.more], ['roll_up_usage', true, false]);
  assert.ok(first.done >= 1);
  assert.deepEqual(await run('5 * * * *'), { ...first, done: 0 }, 'nothing has changed since');
  assert.deepEqual(await summary(), fromRows);
  const rebuilt = await run('rebuild_usage');
  assert.ok(rebuilt.ok && rebuilt.done >= 1);
  assert.deepEqual(await summary(), fromRows);
  assertProblem(await post(platform, '/__dev/cron', { cron: '1 2 3 4 5' }), 422, 'invalid_input');
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '' } });
});

test('while the database takes no rows nothing is lost, and all of them arrive afterwards', async () => {
  const busy = await register(platform);
  const rename = (from, to) => ({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.exec(`ALTER TABLE ${from} RENAME TO ${to}`)) });
  await platform.restart(rename('usage_events', 'usage_events_away'));
  for (let n = 0; n < 7; n++) assert.equal((await ask(busy, 'gpt-4o-mini')).status, 200);
  await platform.waitForLog(/usage_export/, 40_000);
  assert.equal((await quota(platform, busy.access_token)).requests.used, 7);
  await platform.restart(rename('usage_events_away', 'usage_events'));
  // The next request wakes the meter; rows that were not confirmed are sent again.
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '7200' } });
  await signInAgain(busy);
  assert.equal((await ask(busy, 'gpt-4o-mini')).status, 200);
  await copied(busy, 8);
  assert.equal((await logs(platform, busy.access_token)).length, 8);
  platform.assertNoPanic();
});

test('a minute of a busy user is more than a queue takes at once, and arrives whole', async (t) => {
  const own = await withPlatform({ test: t });
  const busy = await register(own);
  await own.restart({ whileStopped: () => subscribe(own.stateDir, [{ ...busy, limits: { requests: 'unlimited', tokens: 'unlimited' } }]) });
  const COUNT = 1_600;
  let left = COUNT;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left-- > 0) assert.equal((await chat(own, busy.access_token, { content: 'Hi' })).status, 200);
    }),
  );
  await eventually(`${COUNT} rows in the copy`, async () => (await get(own, '/usage/summary', { token: busy.access_token })).data.total.requests === COUNT, 100_000);
  own.assertNoPanic();
});
