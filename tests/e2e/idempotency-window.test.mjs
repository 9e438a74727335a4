// An Idempotency-Key is remembered for 24 hours, counted from its first request: until then it replays, from then on it is a new request.
// The trial lasts 7 days, so it is still running on the days that are looked at here.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, chat, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// Far more than a test takes, so that only the clock that is set decides.
const MARGIN = 5 * MINUTE;
const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

/** Sets the clock so much later (it is only ever turned forward) and renews the token, which does not live that long. */
let clock = 0;
async function later(user, seconds) {
  // An answer is kept when it is settled, a moment after it was sent: before that a restart would lose it.
  await settledQuota(platform, user.access_token);
  clock += seconds;
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(clock) } });
  const { status, data, text } = await post(platform, '/auth/refresh', { refresh_token: user.refresh_token });
  assert.equal(status, 200, text);
  Object.assign(user, data);
}

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
/** A model whose every answer is another one: equal answers can only be the same answer. */
function freshModel() {
  const model = `window-${randomUUID()}`;
  upstream.answers(model, ({ seen, json, stream }) => {
    const text = `Answer ${randomUUID()}`;
    if (!seen.body.stream) return json(200, openai.completion(text, USAGE));
    return stream([openai.text(text), openai.text(' and on.'), openai.finish(), openai.usage(10, 5), openai.done()]);
  });
  return model;
}
const ask = (user, model, key, more = {}) => chat(platform, user.access_token, { model: `openai/${model}`, ...more, headers: { 'idempotency-key': key } });
async function assertCharged(user, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
  assert.equal((await logs(platform, user.access_token)).length, requests);
}
function assertNew(answer, before) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('idempotent-replayed'), null, 'it was made now');
  assert.match(answer.text, /Answer/);
  assert.notEqual(answer.text, before.text);
}
function assertReplayed(answer, before) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, before.text, 'byte by byte');
  assert.equal(answer.headers.get('idempotent-replayed'), 'true');
}

for (const stream of [false, true]) {
  test(`a key replays its ${stream ? 'stream' : 'answer'} for 24 hours; then it is a new request, charged, and remembered for 24 hours itself`, async () => {
    const user = await register(platform);
    const [model, key] = [freshModel(), randomUUID()];
    const first = await ask(user, model, key, { stream });
    assertNew(first, { text: '' });
    await assertCharged(user, 1, 15);

    await later(user, DAY - MARGIN);
    // A replay in the last minutes does not begin another 24 hours.
    assertReplayed(await ask(user, model, key, { stream }), first);
    await assertCharged(user, 1, 15);
    assert.equal(upstream.seen(model).length, 1);

    await later(user, 2 * MARGIN);
    const second = await ask(user, model, key, { stream });
    assertNew(second, first);
    await assertCharged(user, 2, 30);
    assert.equal(upstream.seen(model).length, 2);

    assertReplayed(await ask(user, model, key, { stream }), second);
    await later(user, DAY - MARGIN);
    assertReplayed(await ask(user, model, key, { stream }), second);
    await later(user, 2 * MARGIN);
    assertNew(await ask(user, model, key, { stream }), second);
    await assertCharged(user, 3, 45);
    assert.equal(upstream.seen(model).length, 3);
  });
}

test('another body under the key is refused for 24 hours; then it is a new request', async () => {
  const user = await register(platform);
  const [model, key] = [freshModel(), randomUUID()];
  const first = await ask(user, model, key);
  await later(user, DAY - MARGIN);
  assertProblem(await ask(user, model, key, { content: 'Another question' }), 422, 'idempotency_key_reused');
  await later(user, 2 * MARGIN);
  const other = await ask(user, model, key, { content: 'Another question' });
  assertNew(other, first);
  assert.equal(upstream.seen(model).at(-1).body.messages[0].content, 'Another question');
  // Now this is what the key stands for.
  assertReplayed(await ask(user, model, key, { content: 'Another question' }), other);
  assertProblem(await ask(user, model, key), 422, 'idempotency_key_reused');
  await assertCharged(user, 2, 30);
});

test('a refusal under a key is repeated for 24 hours, also when there would be room; then it is decided anew', async () => {
  const user = await register(platform);
  const [model, key] = [freshModel(), randomUUID()];
  // 30,000 are taken by a request that is running: 30,000 more do not fit until it is over.
  const gate = Promise.withResolvers();
  upstream.answers('takes-much', async ({ json }) => {
    await gate.promise;
    json(200, openai.completion('At last.', USAGE));
  });
  const running = chat(platform, user.access_token, { model: 'openai/takes-much', max_tokens: 30_000 });
  await eventually('a reservation', async () => (await quota(platform, user.access_token)).requests.reserved === 1);
  assertProblem(await ask(user, model, key, { max_tokens: 30_000 }), 429, 'quota_exceeded');
  gate.resolve();
  assert.equal((await running).status, 200);
  await settledQuota(platform, user.access_token);
  assert.equal((await ask(user, model, randomUUID(), { max_tokens: 30_000 })).status, 200, 'with another key there is room');

  await later(user, DAY - MARGIN);
  assertProblem(await ask(user, model, key, { max_tokens: 30_000 }), 429, 'quota_exceeded');
  assert.equal(upstream.seen(model).length, 1);
  await later(user, 2 * MARGIN);
  assertNew(await ask(user, model, key, { max_tokens: 30_000 }), { text: '' });
  assert.equal(upstream.seen(model).length, 2);
});

test('tollgate/extractive keeps to the 24 hours, too', async () => {
  const user = await register(platform);
  const key = randomUUID();
  const again = () => chat(platform, user.access_token, { headers: { 'idempotency-key': key } });
  const first = await again();
  assert.equal(first.status, 200, first.text);
  await later(user, DAY - MARGIN);
  assertReplayed(await again(), first);
  await later(user, 2 * MARGIN);
  const second = await again();
  assert.equal(second.status, 200, second.text);
  assert.equal(second.headers.get('idempotent-replayed'), null);
  assert.notEqual(second.data.id, first.data.id);
  assert.equal((await settledQuota(platform, user.access_token)).requests.used, 2);
});

test('nothing panicked', () => platform.assertNoPanic());
