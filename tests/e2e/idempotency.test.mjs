// The same Idempotency-Key: one call of the provider, one charge, one answer, whoever asks how often and whenever.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, call, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { rawRequest } from '../harness/raw.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

// Every answer is another one: equal answers can only be the same answer.
const whole = () => openai.completion(`Answer ${randomUUID()}`, { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 });
const frames = () => [openai.text(`Answer ${randomUUID()}`), 20, openai.text(' and on.'), openai.finish(), openai.usage(10, 5), openai.done()];
const fresh = (name) => `${name}-${randomUUID()}`;
const ask = (user, model, key, more = {}) => chat(platform, user.access_token, { model: `openai/${model}`, ...more, headers: { 'idempotency-key': key, ...more.headers } });
async function assertCharged(user, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
  assert.equal((await logs(platform, user.access_token)).length, requests);
}

for (const stream of [false, true]) {
  const what = stream ? 'stream' : 'answer';

  test(`50 at once with one key: one call, one charge, 50 equal ${what}s`, async () => {
    const user = await register(platform);
    const model = fresh('fifty');
    upstream.answers(model, async (answer) => {
      await new Promise((done) => setTimeout(done, 200)); // time for the other 49 to come in
      return stream ? answer.stream(frames()) : answer.json(200, whole());
    });
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(user, model, key, { stream })));
    assert.deepEqual(answers.filter(({ status }) => status !== 200).map(({ status, text }) => [status, text]), []);
    assert.match(answers[0].text, /Answer/);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1, 'equal, byte by byte');
    assert.equal(new Set(answers.map(({ headers }) => headers.get('content-type'))).size, 1);
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 49);
    assert.equal(upstream.seen(model).length, 1);
    await assertCharged(user, 1, 15);
  });

  test(`a later retry replays the ${what}, also after a restart of the platform`, async () => {
    const user = await register(platform);
    const model = fresh('later');
    upstream.answers(model, (answer) => (stream ? answer.stream(frames()) : answer.json(200, whole())));
    const key = randomUUID();
    const first = await ask(user, model, key, { stream });
    assert.equal(first.status, 200, first.text);
    assert.equal(first.headers.get('idempotent-replayed'), null);
    for (const round of ['at once', 'again', 'after a restart']) {
      if (round === 'after a restart') await platform.restart();
      const again = await ask(user, model, key, { stream });
      assert.equal(again.status, 200, again.text);
      assert.equal(again.text, first.text, round);
      assert.equal(again.headers.get('content-type'), first.headers.get('content-type'));
      assert.equal(again.headers.get('idempotent-replayed'), 'true', round);
      assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'));
    }
    assert.equal(upstream.seen(model).length, 1);
    await assertCharged(user, 1, 15);
  });

  test(`a client that lost its connection gets the ${what} by asking again`, async () => {
    const user = await register(platform);
    const model = fresh('lost');
    const gate = Promise.withResolvers();
    upstream.answers(model, async (answer) => {
      await gate.promise;
      return stream ? answer.stream(frames()) : answer.json(200, whole());
    });
    const key = randomUUID();
    const request = { token: user.access_token, headers: { 'idempotency-key': key }, body: { model: `openai/${model}`, stream, messages: [{ role: 'user', content: 'Where is the toll paid?' }] } };
    const leaving = new AbortController();
    const lost = call(platform, 'POST', '/v1/chat/completions', { ...request, signal: leaving.signal });
    await eventually('the provider was asked', () => upstream.seen(model).length === 1);
    leaving.abort();
    await assert.rejects(lost);
    setTimeout(gate.resolve, 100);
    // "Still running" is an answer that says when to come back; whoever does gets the real one.
    const again = await eventually(
      'the answer',
      async () => {
        const answer = await call(platform, 'POST', '/v1/chat/completions', request);
        if (answer.status !== 200) assertProblem(answer, 503, 'idempotency_key_in_progress');
        return answer.status === 200 && answer;
      },
      10_000,
    );
    assert.match(again.text, /Answer/);
    await assertCharged(user, 1, 15);
    assert.equal(upstream.seen(model).length, 1, 'the provider was asked once');
  });
}

test('the same key with another body is refused, and the first answer stands', async () => {
  const user = await register(platform);
  const model = fresh('reused');
  upstream.answers(model, ({ json }) => json(200, whole()));
  const key = randomUUID();
  const first = await ask(user, model, key);
  for (const more of [{ content: 'Another question' }, { temperature: 1 }, { stream: true }]) {
    assertProblem(await ask(user, model, key, more), 422, 'idempotency_key_reused');
  }
  assert.equal((await ask(user, model, key)).text, first.text);
  assert.equal(upstream.seen(model).length, 1);
  await assertCharged(user, 1, 15);
});

test('the same key with another body is refused while the first is still running, too', async () => {
  const user = await register(platform);
  const model = fresh('running');
  const gate = Promise.withResolvers();
  upstream.answers(model, async ({ json }) => {
    await gate.promise;
    json(200, whole());
  });
  const key = randomUUID();
  const first = ask(user, model, key);
  await eventually('the provider was asked', () => upstream.seen(model).length === 1);
  try {
    assertProblem(await ask(user, model, key, { content: 'Another question' }), 422, 'idempotency_key_reused');
  } finally {
    gate.resolve();
  }
  assert.equal((await first).status, 200);
});

test('keys are each user\'s own', async () => {
  const [first, second] = await Promise.all([register(platform), register(platform)]);
  const model = fresh('own');
  upstream.answers(model, ({ json }) => json(200, whole()));
  const key = randomUUID();
  const [one, two] = [await ask(first, model, key), await ask(second, model, key)];
  assert.deepEqual([one.status, two.status], [200, 200]);
  assert.notEqual(one.text, two.text, 'nobody gets somebody else\'s answer');
  assert.equal(two.headers.get('idempotent-replayed'), null);
  await assertCharged(first, 1, 15);
  await assertCharged(second, 1, 15);
});

test('other keys are other requests', async () => {
  const user = await register(platform);
  const model = fresh('others');
  upstream.answers(model, ({ json }) => json(200, whole()));
  // Case counts, and so does every character.
  const answers = [];
  for (const key of ['key', 'KEY', 'key2', 'k ey', "'; --", '~'.repeat(255)]) answers.push(await ask(user, model, key));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200, 200]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 6);
  await assertCharged(user, 6, 90);
});

for (const stream of [false, true]) {
  test(`after a provider's error ${stream ? 'before a stream ' : ''}the key can be used again, and those who waited got the same error`, async () => {
    const user = await register(platform);
    const model = fresh('error');
    let broken = true;
    const gate = Promise.withResolvers();
    upstream.answers(model, async (answer) => {
      if (!broken) return stream ? answer.stream(frames()) : answer.json(200, whole());
      await gate.promise;
      return answer.json(500, { error: { message: 'inner trouble', type: 'server_error' } });
    });
    const key = randomUUID();
    const asked = Array.from({ length: 10 }, () => ask(user, model, key, { stream }));
    await eventually('the provider was asked', () => upstream.seen(model).length > 0);
    // All ten have been decided once the meter has been asked by somebody after them.
    await quota(platform, user.access_token);
    setTimeout(gate.resolve, 300);
    const answers = await Promise.all(asked);
    for (const answer of answers) {
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.data.code, 'provider_unavailable');
      assert.equal(answer.data.provider, 'openai');
    }
    assert.equal(upstream.seen(model).length, 1);
    assert.equal((await settledQuota(platform, user.access_token)).requests.used, 0);

    broken = false;
    const retry = await ask(user, model, key, { stream });
    assert.equal(retry.status, 200, retry.text);
    assert.equal(retry.headers.get('idempotent-replayed'), null);
    assert.equal(upstream.seen(model).length, 2);
    await assertCharged(user, 1, 15);
  });
}

test('a refusal under a key is the same refusal again', async () => {
  const user = await register(platform);
  const key = randomUUID();
  const seen = [];
  for (let n = 0; n < 3; n++) {
    const { request_id: _, ...problem } = assertProblem(await ask(user, 'never-asked', key, { max_tokens: 60_000 }), 429, 'quota_exceeded');
    seen.push(problem);
  }
  assert.deepEqual(seen[1], seen[0]);
  assert.deepEqual(seen[2], seen[0]);
  assert.equal(upstream.seen('never-asked').length, 0);
});

test('a key is not burnt by a request that could not be read', async () => {
  const user = await register(platform);
  const model = fresh('mended');
  upstream.answers(model, ({ json }) => json(200, whole()));
  const key = randomUUID();
  assertProblem(await ask(user, model, key, { temperature: 'hot' }), 422, 'invalid_input');
  assertProblem(await ask(user, 'x', key, { model: 'nobody/knows' }), 404, 'model_not_found');
  assert.equal((await ask(user, model, key)).status, 200);
  await assertCharged(user, 1, 15);
});

test('a bad key is a 400 and charges nothing', async () => {
  const user = await register(platform);
  const body = JSON.stringify({ model: 'tollgate/extractive', messages: [{ role: 'user', content: 'Hello there.' }] });
  for (const key of ['', 'x'.repeat(256), Buffer.from('schlüssel'), Buffer.from([0x80, 0xff]), 'a\tb']) {
    const answer = await rawRequest(platform, { method: 'POST', path: '/v1/chat/completions', body, headers: [['Authorization', `Bearer ${user.access_token}`], ['Content-Type', 'application/json'], ['Idempotency-Key', key]] });
    const problem = assertProblem(answer, 400, 'bad_request');
    assert.match(problem.detail, /Idempotency-Key/);
  }
  await assertCharged(user, 0, 0);
});

test('tollgate/extractive keeps its answers, too', async () => {
  const user = await register(platform);
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 50 }, () => chat(platform, user.access_token, { headers: { 'idempotency-key': key } })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  assert.equal((await settledQuota(platform, user.access_token)).requests.used, 1);
});

test('nothing panicked', () => platform.assertNoPanic());
