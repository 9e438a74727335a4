// Answers that are too large to be kept under their Idempotency-Key (1.5 MB): they arrive whole and are charged once, and a retry is told
// that there was an answer. What is smaller is kept, whatever it consists of.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { assertProblem, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const KEPT = 1_500_000;
const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const fresh = (name) => `${name}-${randomUUID()}`;
const ask = (user, model, key, more = {}) => chat(platform, user.access_token, { model: `openai/${model}`, ...more, headers: { 'idempotency-key': key } });
async function assertCharged(user, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
  assert.equal((await logs(platform, user.access_token)).length, requests);
}
/** Answers with this text, in one piece or in pieces of 10,000 letters. */
const answering = (text, { gate } = {}) => async ({ seen, json, stream }) => {
  await gate;
  if (!seen.body.stream) return json(200, openai.completion(text, USAGE));
  const pieces = text.match(/.{1,10000}/gsu);
  return stream([...pieces.map((piece) => openai.text(piece)), openai.finish(), openai.usage(10, 5), openai.done()]);
};
function textOf({ data, text }) {
  if (data) return data.choices[0].message.content;
  const frames = text.split('\n\n').filter((frame) => frame.startsWith('data: {'));
  return frames.map((frame) => JSON.parse(frame.slice('data: '.length)).choices[0]?.delta.content ?? '').join('');
}
function assertGone(answer) {
  const problem = assertProblem(answer, 410, 'idempotency_answer_gone');
  assert.match(problem.detail, /charged once/);
  assert.deepEqual([problem.error.code, problem.error.type], ['idempotency_answer_gone', 'invalid_request_error']);
  assert.equal(answer.headers.get('idempotent-replayed'), null, 'it is no answer of before');
}

for (const stream of [false, true]) {
  const what = stream ? 'a stream' : 'an answer';
  const more = { stream };

  test(`${what} of more than 1.5 MB arrives whole, its retries get 410, and it is charged once`, async () => {
    const user = await register(platform);
    const [model, key] = [fresh('large'), randomUUID()];
    const text = 'The toll is paid at the gate. '.repeat(54_000);
    upstream.answers(model, answering(text));
    const first = await ask(user, model, key, more);
    assert.equal(first.status, 200, first.text.slice(0, 500));
    assert.ok(first.text.length > KEPT);
    assert.ok(textOf(first) === text, 'letter by letter');
    await assertCharged(user, 1, 15);
    for (const round of ['at once', 'again', 'after a restart']) {
      if (round === 'after a restart') await platform.restart();
      assertGone(await ask(user, model, key, more));
    }
    assertProblem(await ask(user, model, key, { ...more, content: 'Another question' }), 422, 'idempotency_key_reused');
    assert.equal(upstream.seen(model).length, 1);
    await assertCharged(user, 1, 15);
    // The question itself is not burnt: with another key it is a new request.
    assert.equal((await ask(user, model, randomUUID(), more)).status, 200);
    await assertCharged(user, 2, 30);
  });

  test(`those who wait for ${what} that turns out too large to keep get 410, too`, async () => {
    const user = await register(platform);
    const [model, key] = [fresh('waited-for'), randomUUID()];
    const gate = Promise.withResolvers();
    upstream.answers(model, answering('x'.repeat(KEPT + 1), { gate: gate.promise }));
    const asked = Array.from({ length: 5 }, () => ask(user, model, key, more));
    await eventually('the provider was asked', () => upstream.seen(model).length === 1);
    // All five have been decided once the meter has answered somebody after them.
    await quota(platform, user.access_token);
    gate.resolve();
    const answers = await Promise.all(asked);
    assert.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status }) => status).join());
    for (const answer of answers.filter(({ status }) => status !== 200)) assertGone(answer);
    assert.equal(upstream.seen(model).length, 1);
    await assertCharged(user, 1, 15);
  });

  // Kept answers are stored as JSON once more: what is escaped there grows.
  for (const [consistsOf, text] of Object.entries({
    letters: 'The toll is paid at the gate. '.repeat(46_000),
    'letters of three bytes': '料金は門で払う。'.repeat(57_000),
    'quotation marks': '"'.repeat(650_000),
    'line breaks': '\n'.repeat(650_000),
    backslashes: '\\'.repeat(650_000),
  })) {
    test(`${what} of just below 1.5 MB that consists of ${consistsOf} is kept, and its user goes on`, async () => {
      const user = await register(platform);
      const [model, key] = [fresh('kept'), randomUUID()];
      upstream.answers(model, answering(text));
      const first = await ask(user, model, key, more);
      assert.equal(first.status, 200, first.text.slice(0, 500));
      assert.ok(Buffer.byteLength(first.text) < KEPT, `${Buffer.byteLength(first.text)} bytes`);
      await assertCharged(user, 1, 15);
      assert.equal((await chat(platform, user.access_token)).status, 200, 'the next request of this user');
      const again = await ask(user, model, key, more);
      assert.equal(again.status, 200, again.text.slice(0, 500));
      assert.ok(again.text === first.text, 'byte by byte');
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      assert.equal((await settledQuota(platform, user.access_token)).requests.used, 2);
      assert.equal(upstream.seen(model).length, 1);
    });
  }
}

test('the SDK raises an APIError with 410 and does not try again', async () => {
  const user = await register(platform);
  const model = fresh('sdk');
  upstream.answers(model, answering('x'.repeat(KEPT)));
  const client = new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 2 });
  const create = () => client.chat.completions.create({ model: `openai/${model}`, messages: [{ role: 'user', content: 'At length, please.' }] }, { headers: { 'idempotency-key': 'sdk' } });
  assert.equal((await create()).choices[0].message.content.length, KEPT);
  await assert.rejects(create(), (error) => {
    assert.ok(error instanceof APIError, String(error));
    assert.deepEqual([error.status, error.code], [410, 'idempotency_answer_gone']);
    assert.match(error.requestID, /^req_/);
    return true;
  });
  assert.equal(upstream.seen(model).length, 1);
  await assertCharged(user, 1, 15);
});

test('nothing panicked', () => platform.assertNoPanic());
