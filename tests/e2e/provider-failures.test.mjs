// Nothing delivered, nothing charged, and the idempotency key is free again: whatever a provider does instead of answering.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { assertProblem, call, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { logOf, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const limits = { OPENAI_TIMEOUT_SECONDS: '2', OPENAI_TIMEOUT_FIRST_BYTE_SECONDS: '2', OPENAI_TIMEOUT_SILENCE_SECONDS: '4' };
const platform = await withPlatform({ env: { ...upstream.env, ...limits } });
const SSE = 'data: ';

const ERRORS = {
  'an error under a 200': { error: { message: 'no', type: 'server_error' } },
  'an error as a text': { error: 'no' },
  'an error as Anthropic spells it': { type: 'error', error: { type: 'overloaded_error', message: 'no' } },
  'an error as vLLM spells it': { object: 'error', message: 'no', code: 500 },
  'a detail': { detail: 'no' },
  'an empty object': {},
  'no choices': { choices: [] },
};

async function assertFree(name, model, stream, code = undefined) {
  const user = await register(platform);
  const key = randomUUID();
  const answer = await call(platform, 'POST', '/v1/chat/completions', { token: user.access_token, headers: { 'idempotency-key': key }, body: { model, stream, messages: [{ role: 'user', content: 'Hello.' }] } });
  assert.ok(answer.status >= 500, `${name}: ${answer.status} ${answer.text}`);
  if (code) assert.equal(answer.data.code, code, answer.text);
  assert.match(answer.headers.get('content-type'), /problem\+json/);
  const { requests, tokens } = await settledQuota(platform, user.access_token);
  assert.deepEqual([requests.used, tokens.used], [0, 0], name);
  // The key is free: the next try asks the provider anew.
  const before = upstream.seen(model.split('/')[1]).length;
  await call(platform, 'POST', '/v1/chat/completions', { token: user.access_token, headers: { 'idempotency-key': key }, body: { model, stream, messages: [{ role: 'user', content: 'Hello.' }] } });
  assert.equal(upstream.seen(model.split('/')[1]).length, before + 1, name);
}

for (const [name, body] of Object.entries(ERRORS)) {
  test(`${name}, whole: released`, async () => {
    const model = `whole-${randomUUID()}`;
    upstream.answers(model, ({ json }) => json(200, body));
    await assertFree(name, `openai/${model}`, false);
  });
}

const STREAMS = {
  'an empty stream': [],
  'comments alone': [': waiting\n\n', ': still\n\n'],
  '[DONE] alone': [openai.done()],
  'an error as its first event': [`${SSE}${JSON.stringify(ERRORS['an error under a 200'])}\n\n`],
  'an error in another spelling': [`${SSE}${JSON.stringify(ERRORS['an error as Anthropic spells it'])}\n\n`],
  'an error in a third': [`event: error\n${SSE}${JSON.stringify({ object: 'error', message: 'no' })}\n\n`],
};
for (const [name, frames] of Object.entries(STREAMS)) {
  test(`${name}, streamed: a problem with its status, released`, async () => {
    const model = `stream-${randomUUID()}`;
    upstream.answers(model, ({ stream }) => stream(frames));
    await assertFree(name, `openai/${model}`, true);
  });
}

test('an error JSON in place of a stream is told as what it is', async () => {
  const model = `json-${randomUUID()}`;
  upstream.answers(model, ({ json }) => json(200, ERRORS['an error under a 200']));
  await assertFree('json', `openai/${model}`, true);
});

test('a whole answer in place of a stream reaches the client as one', async () => {
  const user = await register(platform);
  upstream.answers('never-streams', ({ json }) => json(200, openai.completion('Hello there.', { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 })));
  const answer = await chat(platform, user.access_token, { model: 'openai/never-streams', stream: true });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.match(answer.text, /Hello there\./);
  assert.ok(answer.text.endsWith('data: [DONE]\n\n'));
  assert.equal((await settledQuota(platform, user.access_token)).tokens.used, 8);
});

test('a finish without [DONE] on a line that stays open ends within seconds', async () => {
  const user = await register(platform);
  upstream.answers('never-done', ({ stream }) => stream([openai.text('Hello.'), openai.finish(), openai.usage(5, 3)], { end: 'hang' }));
  const answer = await chat(platform, user.access_token, { model: 'openai/never-done', stream: true });
  assert.ok(answer.text.endsWith('data: [DONE]\n\n'), answer.text);
  const row = await logOf(platform, user.access_token, answer.headers.get('x-request-id'));
  assert.deepEqual([row.outcome, row.tokens], ['completed', 8]);
});

for (const stream of [false, true]) {
  test(`a provider that never answers: 504, nothing charged, a line in the log (${stream ? 'stream' : 'whole'})`, async () => {
    const user = await register(platform);
    const model = `silent-${stream}`;
    upstream.answers(model, () => new Promise(() => {}));
    const answer = await chat(platform, user.access_token, { model: `openai/${model}`, stream });
    assertProblem(answer, 504, 'provider_timeout');
    assert.equal(answer.data.provider, 'openai');
    const id = answer.headers.get('x-request-id');
    await platform.waitForLog(new RegExp(`does not answer.*${id}`));
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used], [0, 0]);
  });
}

for (const [how, head] of [['of a told length', { 'content-length': 500 }], ['in pieces', {}]]) {
  test(`a provider that begins an answer ${how} and never ends it: 504 within the time of the whole, nothing charged`, async () => {
    const user = await register(platform);
    const model = `half-${how.replaceAll(' ', '-')}`;
    const gone = new Promise((left) =>
      upstream.answers(model, ({ response }) => {
        response.on('close', left);
        response.writeHead(200, { 'content-type': 'application/json', ...head });
        response.write('{"id": ');
      }),
    );
    const answer = await chat(platform, user.access_token, { model: `openai/${model}` });
    assertProblem(answer, 504, 'provider_timeout');
    assert.match(answer.data.detail, /2 s/);
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used], [0, 0]);
    await gone;
  });
}

test('a redirect of a provider is not followed: neither the key nor the prompt reach another origin', async () => {
  const elsewhere = [];
  const thief = createServer((request, response) => {
    elsewhere.push(request.headers);
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(thief, 'listening');
  after(() => thief.close());
  const user = await register(platform);
  for (const [provider, model] of [['anthropic', 'claude-moved'], ['openai', 'gpt-moved'], ['gemini', 'gemini-moved']]) {
    for (const status of [301, 302, 307, 308]) {
      upstream.answers(model, ({ response }) => {
        response.writeHead(status, { location: `http://127.0.0.1:${thief.address().port}/v1/messages` });
        response.end();
      });
      const answer = await chat(platform, user.access_token, { model: `${provider}/${model}` });
      assertProblem(answer, 502, 'provider_error');
    }
  }
  assert.deepEqual(elsewhere, []);
  assert.equal((await settledQuota(platform, user.access_token)).tokens.used, 0);
});

test('figures that cannot be true lock nobody out', async () => {
  const user = await register(platform);
  for (const [n, odd] of [2 ** 64, 2 ** 53 + 1, -5, '1e400'].entries()) {
    const model = `odd-${n}`;
    upstream.answers(model, ({ json }) => json(200, openai.completion('Hello.', { prompt_tokens: odd, completion_tokens: odd, total_tokens: odd })));
    const answer = await chat(platform, user.access_token, { model: `openai/${model}` });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.data.usage.total_tokens < 1_000, answer.text);
  }
  const { tokens } = await settledQuota(platform, user.access_token);
  assert.ok(tokens.used > 0 && tokens.used < 1_000, `${tokens.used}`);
});

test('nothing panicked', () => platform.assertNoPanic());
