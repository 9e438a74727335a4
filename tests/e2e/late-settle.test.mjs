// A reservation that was never settled expires after ten minutes and counts at its estimate; what is learnt of it later, within 24 hours,
// corrects that. Seen from outside this takes an idempotency key: the worker dies, the hold expires, and a retry with the same key carries
// the work out under the same reservation. (Without a key nobody comes back to a reservation but the worker that died.)
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, chat, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

/** The clock from here on; it is only ever turned forward. */
let clock = 0;
async function later(seconds) {
  clock += seconds;
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(clock) } });
}

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const whole = ({ json }) => json(200, openai.completion(`Answer ${randomUUID()}`, USAGE));
const streamed = ({ stream }) => stream([openai.text(`Answer ${randomUUID()}`), openai.text(' and on.'), openai.finish(), openai.usage(10, 5), openai.done()]);
const broken = ({ json }) => json(500, { error: { message: 'inner trouble', type: 'server_error' } });

/** A user with a request that nobody answered; its worker is dead and its hold has expired, uncorrected so far. */
async function expired({ stream = false, seconds = 11 * MINUTE, maxTokens = 1_000 } = {}) {
  const user = await register(platform);
  const model = `late-${randomUUID()}`;
  upstream.answers(model, () => new Promise(() => {}));
  const request = { model: `openai/${model}`, stream, max_tokens: maxTokens, headers: { 'idempotency-key': randomUUID() } };
  const lost = assert.rejects(chat(platform, user.access_token, request));
  await eventually('the provider was asked', () => upstream.seen(model).length === 1);
  const held = await quota(platform, user.access_token);
  assert.deepEqual([held.requests.used, held.requests.reserved], [0, 1]);
  await later(seconds);
  await lost;
  return { user, model, request, estimate: held.tokens.reserved, ask: () => chat(platform, user.access_token, request) };
}

async function assertUsed({ user }, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
}

for (const stream of [false, true]) {
  const answering = stream ? streamed : whole;
  const what = stream ? 'stream' : 'answer';

  test(`an expired hold counts at its estimate until the retry's ${what} settles it late`, async () => {
    const late = await expired({ stream });
    await assertUsed(late, 1, late.estimate);
    upstream.answers(late.model, answering);
    const answer = await late.ask();
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.text, /Answer/);
    assert.equal(answer.headers.get('idempotent-replayed'), null, 'it was made now');
    await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used !== late.estimate);
    await assertUsed(late, 1, 15);

    const again = await late.ask();
    assert.equal(again.text, answer.text);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    await assertUsed(late, 1, 15);
    assert.equal(upstream.seen(late.model).length, 2, 'asked once before the worker died and once after');
  });
}

test('the correction survives a restart: it is in the ledger, not only in memory', async () => {
  const late = await expired();
  upstream.answers(late.model, whole);
  const answer = await late.ask();
  await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used === 15);
  await platform.restart();
  await assertUsed(late, 1, 15);
  assert.equal((await late.ask()).text, answer.text);
});

test('several who retry at once after the expiry get one answer, and one settle corrects', async () => {
  const late = await expired();
  const gate = Promise.withResolvers();
  upstream.answers(late.model, async (answer) => {
    await gate.promise;
    whole(answer);
  });
  const asked = Promise.all(Array.from({ length: 5 }, late.ask));
  await eventually('the provider was asked again', () => upstream.seen(late.model).length === 2);
  gate.resolve();
  const answers = await asked;
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used === 15);
  await assertUsed(late, 1, 15);
  assert.equal(upstream.seen(late.model).length, 2);
});

test('a late settle above the estimate counts in full', async () => {
  const late = await expired({ maxTokens: 100 });
  upstream.answers(late.model, ({ json }) => json(200, openai.completion('A long answer.', { prompt_tokens: 3_000, completion_tokens: 4_000, total_tokens: 7_000 })));
  assert.equal((await late.ask()).status, 200);
  await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used !== late.estimate);
  await assertUsed(late, 1, 7_000);
});

test('an estimate that fills the plan keeps others out, lets its own retry in, and makes room once it is corrected', async () => {
  const late = await expired({ maxTokens: 49_000 });
  const other = () => chat(platform, late.user.access_token, { max_tokens: 2_000 });
  const problem = assertProblem(await other(), 429, 'quota_exceeded');
  assert.deepEqual([problem.meter, problem.used, problem.reserved], ['tokens', late.estimate, 0]);
  upstream.answers(late.model, whole);
  assert.equal((await late.ask()).status, 200, 'its tokens are counted already');
  await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used === 15);
  assert.equal((await other()).status, 200);
});

test('when the provider fails the retry, the estimate is given back, and the key can be used again', async () => {
  const late = await expired();
  await assertUsed(late, 1, late.estimate);
  upstream.answers(late.model, broken);
  assertProblem(await late.ask(), 503, 'provider_unavailable');
  await eventually('the late release', async () => (await quota(platform, late.user.access_token)).requests.used === 0);
  await assertUsed(late, 0, 0);
  upstream.answers(late.model, whole);
  assert.equal((await late.ask()).status, 200);
  await assertUsed(late, 1, 15);
});

test('GET /usage/logs has one row for a reservation that was settled late: what it took, not its estimate beside it', async () => {
  const late = await expired();
  await assertUsed(late, 1, late.estimate);
  const before = await logs(platform, late.user.access_token);
  assert.deepEqual(before.map(({ outcome, requests, tokens }) => ({ outcome, requests, tokens })), [{ outcome: 'expired', requests: 1, tokens: late.estimate }]);
  upstream.answers(late.model, whole);
  assert.equal((await late.ask()).status, 200);
  await eventually('the late settle', async () => (await quota(platform, late.user.access_token)).tokens.used === 15);
  const after = await logs(platform, late.user.access_token);
  assert.deepEqual(after.map(({ id, outcome, requests, tokens }) => ({ id, outcome, requests, tokens })), [{ id: before[0].id, outcome: 'completed', requests: 1, tokens: 15 }]);
});

test('GET /usage/logs has no row for a reservation that was given back late: nothing was charged', async () => {
  const late = await expired();
  upstream.answers(late.model, broken);
  assertProblem(await late.ask(), 503, 'provider_unavailable');
  await eventually('the late release', async () => (await quota(platform, late.user.access_token)).requests.used === 0);
  assert.deepEqual(await logs(platform, late.user.access_token), []);
});

test('a day later nothing corrects the estimate any more: the same key is a new request', async () => {
  const late = await expired({ seconds: DAY + MINUTE });
  const { status, data, text } = await post(platform, '/auth/refresh', { refresh_token: late.user.refresh_token });
  assert.equal(status, 200, text);
  late.user.access_token = data.access_token;
  await assertUsed(late, 1, late.estimate);
  upstream.answers(late.model, whole);
  assert.equal((await late.ask()).status, 200);
  await assertUsed(late, 2, late.estimate + 15);
  assert.deepEqual((await logs(platform, late.user.access_token)).map(({ outcome, tokens }) => [outcome, tokens]), [['completed', 15], ['expired', late.estimate]]);
});

test('nothing panicked', () => platform.assertNoPanic());
