// Usage is right on every path an answer can take: seen from outside, by /usage/logs and /usage/quota.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { assertProblem, call, chat, events, get, register } from '../harness/http.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logOf, logs, quota, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
// A provider that has nothing more to say is given up after seven seconds here instead of two minutes.
const silence = Object.fromEntries(['OPENAI', 'ANTHROPIC', 'GEMINI'].map((name) => [`${name}_TIMEOUT_SILENCE_SECONDS`, '7']));
const platform = await withPlatform({ env: { ...upstream.env, ...silence } });

/** A stream by plain fetch: its response, so that a test can watch or leave. */
const openStream = (token, model, { signal, ...body } = {}) =>
  fetch(`${platform.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Where is the toll paid?' }], ...body }),
    signal,
  });

/** A whole stream: its text, its usage, its error frame, whether [DONE] came. */
async function readStream(response) {
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.clone().text());
  assert.match(response.headers.get('content-type'), /^text\/event-stream\b/);
  const out = { text: '', usage: undefined, error: undefined, done: false, requestId: response.headers.get('x-request-id') };
  for await (const { data } of events(response)) {
    if (data === '[DONE]') {
      out.done = true;
      continue;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) out.error = chunk.error;
    out.text += chunk.choices?.[0]?.delta?.content ?? '';
    if (chunk.usage) out.usage = chunk.usage;
  }
  return out;
}

/** The same answer in each provider's words. */
const PROVIDERS = {
  openai: { frames: [openai.text('At the '), openai.text('gate.'), openai.finish(), openai.usage(21, 9), openai.done()], body: openai.completion('At the gate.', { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30 }) },
  anthropic: {
    frames: [anthropic.start(21), anthropic.ping(), anthropic.text('At the '), anthropic.text('gate.'), anthropic.finish(9)],
    body: { id: 'msg_1', type: 'message', role: 'assistant', model: 'upstream', content: [{ type: 'text', text: 'At the gate.' }], stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 21, output_tokens: 9 } },
  },
  gemini: {
    frames: [gemini.text('At the '), gemini.text('gate.'), gemini.finish(21, 9)],
    body: { candidates: [{ content: { role: 'model', parts: [{ text: 'At the gate.' }] }, finishReason: 'STOP', index: 0 }], usageMetadata: { promptTokenCount: 21, candidatesTokenCount: 9, totalTokenCount: 30 } },
  },
};

for (const [provider, { frames, body }] of Object.entries(PROVIDERS)) {
  const bytes = Buffer.from(frames.join(''));
  upstream.answers(`${provider}-whole`, ({ seen, json, stream }) => (seen.body.stream || /stream/.test(seen.path) ? stream(frames) : json(200, body)));
  upstream.answers(`${provider}-bytes`, ({ stream }) => stream(Array.from(bytes, (byte) => Buffer.of(byte))));

  test(`${provider}: an answer in one piece is charged what the provider counted`, async () => {
    const user = await register(platform);
    const answer = await chat(platform, user.access_token, { model: `${provider}/${provider}-whole` });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.data.choices[0].message.content, 'At the gate.');
    assert.deepEqual([answer.data.usage.prompt_tokens, answer.data.usage.completion_tokens, answer.data.usage.total_tokens], [21, 9, 30]);
    const row = await logOf(platform, user.access_token, answer.headers.get('x-request-id'));
    assert.deepEqual(
      { requests: row.requests, tokens: row.tokens, prompt: row.prompt_tokens, completion: row.completion_tokens, estimated: row.estimated, outcome: row.outcome, model: row.model, function: row.function },
      { requests: 1, tokens: 30, prompt: 21, completion: 9, estimated: false, outcome: 'completed', model: `${provider}/${provider}-whole`, function: 'chat' },
    );
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used], [1, 30]);
  });

  for (const [manner, model] of [['a stream', 'whole'], ['a stream that comes byte by byte', 'bytes']]) {
    test(`${provider}: ${manner} is charged what the provider counted`, async () => {
      const user = await register(platform);
      const out = await readStream(await openStream(user.access_token, `${provider}/${provider}-${model}`));
      assert.equal(out.text, 'At the gate.');
      assert.ok(out.done);
      assert.equal(out.error, undefined);
      assert.deepEqual([out.usage?.prompt_tokens, out.usage?.completion_tokens], [21, 9], 'usage is there without include_usage, too');
      const row = await logOf(platform, user.access_token, out.requestId);
      assert.deepEqual([row.tokens, row.estimated, row.outcome], [30, false, 'completed']);
      const { requests, tokens } = await settledQuota(platform, user.access_token);
      assert.deepEqual([requests.used, tokens.used], [1, 30]);
    });
  }
}

// -- errors before the first piece: nothing is charged

const REFUSALS = [
  // what the provider answers → what the client gets
  { name: 'bad request', status: 400, error: { message: 'temperature is too hot', type: 'invalid_request_error', param: 'temperature', code: null }, expect: [400, 'provider_rejected'], says: /temperature is too hot/ },
  { name: 'unknown model', status: 404, error: { message: 'The model `x` does not exist', type: 'invalid_request_error', param: null, code: 'model_not_found' }, expect: [404, 'model_not_found'] },
  { name: 'wrong key', status: 401, error: { message: 'Incorrect API key provided: sk-test-openai-0123456789', type: 'invalid_request_error', param: null, code: 'invalid_api_key' }, expect: [502, 'provider_error'] },
  { name: 'no permission', status: 403, error: { message: 'Country not supported', type: 'x', param: null, code: null }, expect: [502, 'provider_error'] },
  { name: 'too many requests', status: 429, headers: { 'retry-after': '7' }, error: { message: 'Rate limit reached for org-secret', type: 'rate_limit', param: null, code: null }, expect: [503, 'provider_unavailable'], retryAfter: '7' },
  { name: 'internal error', status: 500, error: { message: 'secret stack trace', type: 'server_error', param: null, code: null }, expect: [503, 'provider_unavailable'] },
  { name: 'overloaded', status: 503, error: { message: 'overloaded', type: 'server_error', param: null, code: null }, expect: [503, 'provider_unavailable'] },
];

let calm;
before(async () => (calm = await register(platform)));

for (const { name, status, headers, error, expect: [ours, code], says, retryAfter } of REFUSALS) {
  const model = name.replaceAll(' ', '-');
  upstream.answers(model, ({ json }) => json(status, { error }, headers));
  for (const stream of [false, true]) {
    test(`a provider's "${name}" (${status}) before ${stream ? 'a stream' : 'an answer'} is ${ours} ${code}, and nothing is charged`, async () => {
      const standing = await settledQuota(platform, calm.access_token);
      const answer = await chat(platform, calm.access_token, { model: `openai/${model}`, stream });
      const problem = assertProblem(answer, ours, code);
      assert.equal(problem.provider, 'openai', 'the provider is named');
      if (says) assert.match(problem.detail, says);
      else assert.doesNotMatch(answer.text, /secret|sk-test/, 'nothing of what is between us and the provider shows');
      if (retryAfter) assert.equal(answer.headers.get('retry-after'), retryAfter);
      assert.ok(problem.error.message, 'OpenAI clients find their error member');
      const after = await settledQuota(platform, calm.access_token);
      assert.deepEqual([after.requests.used, after.tokens.used], [standing.requests.used, standing.tokens.used]);
      assert.equal((await logs(platform, calm.access_token)).length, 0);
    });
  }
}

const UNREADABLE = {
  'invalid JSON': ({ json }) => json(200, '{"choices": [{"message"'),
  'an HTML page': ({ json }) => json(200, '<html><body>Bad gateway</body></html>', { 'content-type': 'text/html' }),
  'a JSON answer of another shape': ({ json }) => json(200, { hello: 'world' }),
  'an empty body': ({ json }) => json(200, ''),
};
for (const [name, handler] of Object.entries(UNREADABLE)) {
  const model = name.replaceAll(' ', '-');
  upstream.answers(model, handler);
  test(`${name} instead of an answer is 502, and nothing is charged`, async () => {
    const answer = await chat(platform, calm.access_token, { model: `openai/${model}` });
    assert.equal(assertProblem(answer, 502, 'provider_error').provider, 'openai');
    await nothingCharged();
  });
}

async function nothingCharged() {
  const { requests, tokens } = await settledQuota(platform, calm.access_token);
  assert.deepEqual([requests.used, tokens.used], [0, 0]);
}

test('a connection that breaks off before the answer is 502, and nothing is charged', async () => {
  upstream.answers('hangs-up', ({ response }) => response.socket.resetAndDestroy());
  for (const stream of [false, true]) {
    assert.equal(assertProblem(await chat(platform, calm.access_token, { model: 'openai/hangs-up', stream }), 502, 'provider_error').provider, 'openai');
  }
  await nothingCharged();
});

test('an answer that breaks off in its middle is 502, and nothing is charged', async () => {
  upstream.answers('half-json', ({ stream }) => stream(['{"id":"x","choices":[{"index":0,'], { end: 'cut', contentType: 'application/json', headers: { 'content-length': '5000' } }));
  assertProblem(await chat(platform, calm.access_token, { model: 'openai/half-json' }), 502, 'provider_error');
  await nothingCharged();
});

test('a provider where nobody listens is 502, and nothing is charged', async (t) => {
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const lonely = await withPlatform({ test: t, env: { OPENAI_API_KEY: 'x', OPENAI_BASE_URL: nobody, ANTHROPIC_API_KEY: 'x', ANTHROPIC_BASE_URL: nobody, GEMINI_API_KEY: 'x', GEMINI_BASE_URL: nobody } });
  const user = await register(lonely);
  for (const provider of ['openai', 'anthropic', 'gemini']) {
    for (const stream of [false, true]) {
      const problem = assertProblem(await chat(lonely, user.access_token, { model: `${provider}/anything`, stream }), 502, 'provider_error');
      assert.equal(problem.provider, provider);
      assert.doesNotMatch(problem.detail, /127\.0\.0\.1/, 'inner addresses stay inside');
    }
  }
  const { requests, tokens } = await settledQuota(lonely, user.access_token);
  assert.deepEqual([requests.used, tokens.used], [0, 0]);
  lonely.assertNoPanic();
});

// -- errors in the middle: what was delivered is charged

const PIECE = 'The toll is paid at the gate, by everybody who passes. '; // about 14 tokens
/** Delivered text is charged: not nothing, and not many times what it can be. */
function assertDelivered(row, pieces, outcome) {
  assert.equal(row.outcome, outcome);
  assert.equal(row.requests, 1);
  assert.equal(row.estimated, true);
  assert.ok(row.prompt_tokens >= 1, `prompt ${row.prompt_tokens}`);
  const likely = (pieces * PIECE.length) / 4;
  assert.ok(row.completion_tokens >= likely / 2 && row.completion_tokens <= likely * 2, `completion ${row.completion_tokens}, likely ${likely}`);
  assert.equal(row.tokens, row.prompt_tokens + row.completion_tokens);
}

const BROKEN_STREAMS = {
  'openai: an error in mid-stream': ['openai', 'failed', ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE), openai.error('secret inner trouble')])],
  'anthropic: an error in mid-stream': ['anthropic', 'failed', ({ stream }) => stream([anthropic.start(21), anthropic.text(PIECE), anthropic.text(PIECE), anthropic.error('overloaded_error', 'secret inner trouble')])],
  'gemini: an error in mid-stream': ['gemini', 'failed', ({ stream }) => stream([gemini.text(PIECE), gemini.text(PIECE), 'data: {"error":{"code":503,"message":"secret inner trouble","status":"UNAVAILABLE"}}\n\n'])],
  'openai: a frame that is not JSON': ['openai', 'failed', ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE), 'data: {"choices": [\n\n', openai.text(PIECE)])],
  'openai: a frame of more than a megabyte': ['openai', 'failed', ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE), `data: "${'x'.repeat(1_100_000)}"\n\n`])],
  'openai: an end without a finish': ['openai', 'cut', ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE)])],
  'anthropic: an end without message_stop': ['anthropic', 'cut', ({ stream }) => stream([anthropic.start(21), anthropic.text(PIECE), anthropic.text(PIECE)])],
  'gemini: an end without a finish reason': ['gemini', 'cut', ({ stream }) => stream([gemini.text(PIECE), gemini.text(PIECE)])],
  'openai: a connection that is reset': ['openai', 'failed', ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE)], { end: 'cut' })],
};
for (const [name, [provider, outcome, handler]] of Object.entries(BROKEN_STREAMS)) {
  const model = name.replaceAll(/[^a-z]+/g, '-');
  upstream.answers(model, handler);
  test(`${name}: the client learns of it and what was delivered is charged`, async () => {
    const user = await register(platform);
    const out = await readStream(await openStream(user.access_token, `${provider}/${model}`));
    assert.equal(out.text, PIECE + PIECE, 'what came before it was delivered');
    assert.ok(out.error?.message && out.error.code, `an error frame: ${JSON.stringify(out.error)}`);
    assert.doesNotMatch(out.error.message, /secret/);
    assert.equal(out.done, false, 'no [DONE] after an error');
    const row = await logOf(platform, user.access_token, out.requestId);
    assertDelivered(row, 2, outcome);
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used], [1, row.tokens]);
  });
}

test('the official SDK raises an APIError on an error in mid-stream', async () => {
  const user = await register(platform);
  upstream.answers('sdk-error', ({ stream }) => stream([openai.text(PIECE), openai.error()]));
  const client = new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 0 });
  const stream = await client.chat.completions.create({ model: 'openai/sdk-error', stream: true, messages: [{ role: 'user', content: 'Go on' }] });
  let text = '';
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    },
    (error) => error instanceof APIError && error.message.length > 0,
  );
  assert.equal(text, PIECE);
});

for (const [provider, frames] of Object.entries({
  openai: Array.from({ length: 400 }, () => [openai.text(PIECE), 25]).flat(),
  anthropic: [anthropic.start(21), ...Array.from({ length: 400 }, () => [anthropic.text(PIECE), 25]).flat()],
  gemini: Array.from({ length: 400 }, () => [gemini.text(PIECE), 25]).flat(),
})) {
  const model = `${provider}-endless`;
  upstream.answers(model, ({ stream }) => stream(frames, { end: 'hang' }));
  test(`${provider}: a client that leaves a provider that never tells its usage is charged what was held, and the provider is told to stop`, async () => {
    const user = await register(platform);
    const leaving = new AbortController();
    const response = await openStream(user.access_token, `${provider}/${model}`, { signal: leaving.signal });
    let text = '';
    for await (const { data } of events(response)) {
      text += JSON.parse(data).choices[0]?.delta.content ?? '';
      if (text.length >= 3 * PIECE.length) break;
    }
    leaving.abort();
    const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'), 20_000);
    assert.equal(row.outcome, 'client_gone');
    assert.equal(row.estimated, true);
    // The provider never says what it took: what was held for the answer stands, for it may have made all of that.
    assert.ok(row.tokens >= 10_000 && row.tokens <= 50_000, `at least what was held: ${row.tokens}`);
    await eventually('the connection to the provider is closed', () => upstream.seen(model).at(-1).broken, 8_000);
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used], [1, row.tokens]);
  });
}

test('a client that leaves before the usage pays for what the model thought', async () => {
  const user = await register(platform);
  upstream.answers('thinker', ({ stream }) => stream([openai.text(PIECE), 6_000, openai.text(PIECE), openai.finish(), openai.usage(10, 20_000), openai.done()]));
  const leaving = new AbortController();
  const response = await openStream(user.access_token, 'openai/thinker', { signal: leaving.signal });
  for await (const { data } of events(response)) if (JSON.parse(data).choices) break;
  leaving.abort();
  const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'), 15_000);
  assert.deepEqual([row.tokens, row.estimated, row.outcome], [20_010, false, 'client_gone']);
});

test('a client that leaves while the provider is silent is noticed, and its reservation ends', async () => {
  const user = await register(platform);
  upstream.answers('silent', ({ stream }) => stream([openai.text(PIECE)], { end: 'hang' }));
  const leaving = new AbortController();
  const response = await openStream(user.access_token, 'openai/silent', { signal: leaving.signal });
  for await (const { data } of events(response)) if (JSON.parse(data).choices) break;
  leaving.abort();
  const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'), 20_000);
  assert.equal(row.outcome, 'client_gone');
  await eventually('the connection to the provider is closed', () => upstream.seen('silent').at(-1).broken, 5_000);
});

test('a client that leaves before an answer in one piece is there: what the provider did is charged, and nothing stays held', async () => {
  const user = await register(platform);
  const gate = Promise.withResolvers();
  upstream.answers('late', async ({ json }) => {
    await gate.promise;
    json(200, openai.completion('At last.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
  });
  const leaving = new AbortController();
  const asked = call(platform, 'POST', '/v1/chat/completions', { token: user.access_token, signal: leaving.signal, body: { model: 'openai/late', messages: [{ role: 'user', content: 'Hello.' }] } });
  await eventually('the provider was asked', () => upstream.seen('late').length === 1);
  leaving.abort();
  await assert.rejects(asked);
  setTimeout(gate.resolve, 200);
  const { requests, tokens } = await settledQuota(platform, user.access_token, 8_000);
  const [row] = await logs(platform, user.access_token);
  // Either it is heard to its end, or the provider is told to stop: what it has done by then is not free.
  assert.ok(['completed', 'client_gone'].includes(row?.outcome), JSON.stringify(row));
  assert.ok(row.tokens >= 10, `${row.tokens} tokens`);
  assert.deepEqual([requests.used, tokens.used], [1, row.tokens]);
});

test('a slow reader gets everything and is charged for everything', async () => {
  const user = await register(platform);
  const pieces = 2_000;
  upstream.answers('fast', ({ stream }) => stream([...Array.from({ length: pieces }, () => openai.text(PIECE)), openai.finish(), openai.usage(21, 28_000), openai.done()]));
  const response = await openStream(user.access_token, 'openai/fast');
  let text = '';
  let count = 0;
  for await (const { data } of events(response)) {
    if (data === '[DONE]') continue;
    text += JSON.parse(data).choices[0]?.delta.content ?? '';
    if (++count % 400 === 0) await new Promise((done) => setTimeout(done, 100));
  }
  assert.equal(text.length, pieces * PIECE.length);
  const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'));
  assert.deepEqual([row.tokens, row.estimated, row.outcome], [28_021, false, 'completed']);
});

// -- usage that is missing or cannot be true

const UNCOUNTED = {
  'openai stream without usage': ['openai', true, ({ stream }) => stream([openai.text(PIECE), openai.text(PIECE), openai.finish(), openai.done()])],
  'openai answer without usage': ['openai', false, ({ json }) => json(200, openai.completion(PIECE + PIECE, null))],
  'openai answer whose usage is zero': ['openai', false, ({ json }) => json(200, openai.completion(PIECE + PIECE, { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }))],
  'anthropic stream whose usage is zero': ['anthropic', true, ({ stream }) => stream([anthropic.start(0), anthropic.text(PIECE), anthropic.text(PIECE), anthropic.finish(0)])],
  'gemini stream without usage': ['gemini', true, ({ stream }) => stream([gemini.text(PIECE), gemini.text(PIECE), gemini.finish()])],
};
for (const [name, [provider, stream, handler]] of Object.entries(UNCOUNTED)) {
  const model = name.replaceAll(' ', '-');
  upstream.answers(model, handler);
  test(`an ${name}: estimated from what was delivered, never 0`, async () => {
    const user = await register(platform);
    let usage;
    let requestId;
    if (stream) {
      const out = await readStream(await openStream(user.access_token, `${provider}/${model}`));
      assert.ok(out.done);
      ({ usage, requestId } = out);
    } else {
      const answer = await chat(platform, user.access_token, { model: `${provider}/${model}` });
      assert.equal(answer.status, 200, answer.text);
      usage = answer.data.usage;
      requestId = answer.headers.get('x-request-id');
    }
    const row = await logOf(platform, user.access_token, requestId);
    assertDelivered(row, 2, 'completed');
    assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens], [row.prompt_tokens, row.completion_tokens], 'the client is told what it is charged');
    const { tokens } = await settledQuota(platform, user.access_token);
    assert.equal(tokens.used, row.tokens);
  });
}

test('while an answer is being made its reservation is held, and returned with the rest afterwards', async () => {
  const user = await register(platform);
  const gate = Promise.withResolvers();
  upstream.answers('held', async ({ json }) => {
    await gate.promise;
    json(200, openai.completion('At last.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
  });
  const asked = chat(platform, user.access_token, { model: 'openai/held', max_tokens: 1_000 });
  const held = await eventually('a reservation', async () => {
    const meters = await quota(platform, user.access_token);
    return meters.requests.reserved === 1 && meters;
  }).finally(gate.resolve);
  assert.equal(held.requests.used, 0);
  assert.ok(held.tokens.reserved > 1_000 && held.tokens.reserved < 1_100, `prompt and max_tokens: ${held.tokens.reserved}`);
  assert.equal(held.tokens.remaining, 50_000 - held.tokens.reserved);
  assert.equal((await asked).status, 200);
  const after = await settledQuota(platform, user.access_token);
  assert.deepEqual([after.tokens.used, after.tokens.remaining], [15, 49_985]);
});

test('the log pages through everything once, newest first', async () => {
  const user = await register(platform);
  const ids = [];
  for (let n = 0; n < 7; n++) ids.push((await chat(platform, user.access_token)).headers.get('x-request-id'));
  await settledQuota(platform, user.access_token);
  const seen = [];
  let cursor = null;
  do {
    const { data } = await get(platform, `/usage/logs?limit=3${cursor ? `&cursor=${cursor}` : ''}`, { token: user.access_token });
    assert.ok(data.data.length <= 3);
    seen.push(...data.data);
    cursor = data.next_cursor;
  } while (cursor !== null);
  assert.deepEqual(seen.map((row) => row.request_id).sort(), ids.toSorted());
  assert.equal(new Set(seen.map((row) => row.id)).size, 7);
  assert.deepEqual(seen.map((row) => row.at), seen.map((row) => row.at).toSorted().reverse());
  for (const row of seen) {
    assert.match(row.id, /^res_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(row.user_id, user.user.id);
    assert.equal(row.model, 'tollgate/extractive');
    assert.equal(row.cost_microusd, 0);
    assert.match(row.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  }
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=-1', 'cursor=12', "cursor=seq_1'--"]) {
    assertProblem(await call(platform, 'GET', `/usage/logs?${query}`, { token: user.access_token }), 400, 'bad_request');
  }
});

test('nothing panicked', () => platform.assertNoPanic());
