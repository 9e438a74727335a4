// Clients that go away from a request with an Idempotency-Key, and come back with it: one call of the provider, one charge, one
// answer. What a request without a key leaves behind is in usage-paths, but for connections that are reset.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import OpenAI from 'openai';
import { assertProblem, bearer, events, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
/** A stream of each provider that stops after two pieces until the gate opens; its text is another one each time. */
const GATED = {
  openai: (gate, end) => async function* () {
    yield openai.text(`Answer ${randomUUID()}`) + openai.text(' and');
    yield await gate;
    yield* end ?? [openai.text(' on.'), openai.finish(), openai.usage(10, 5), openai.done()];
  },
  anthropic: (gate) => async function* () {
    yield anthropic.start(10) + anthropic.text(`Answer ${randomUUID()}`) + anthropic.text(' and');
    yield await gate;
    yield* [anthropic.text(' on.'), anthropic.finish(5)];
  },
  gemini: (gate) => async function* () {
    yield gemini.text(`Answer ${randomUUID()}`) + gemini.text(' and');
    yield await gate;
    yield* [gemini.text(' on.'), gemini.finish(10, 5)];
  },
};

/** A user, a model whose answer waits for `open()` (a stream in its middle, unless it is to be silent until then), and one request to it under one key. */
async function prepare({ stream, provider = 'openai', silent = !stream, end }) {
  const user = await register(platform);
  const model = `away-${randomUUID()}`;
  const { promise: opened, resolve } = Promise.withResolvers();
  upstream.answers(model, async (answer) => {
    if (silent) await opened;
    if (stream) return answer.stream(GATED[provider](opened, end)());
    return answer.json(200, openai.completion(`Answer ${randomUUID()}`, USAGE));
  });
  const body = JSON.stringify({ model: `${provider}/${model}`, stream, max_tokens: 100, messages: [{ role: 'user', content: 'Where is the toll paid?' }] });
  const headers = { ...bearer(user.access_token), 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  const ask = (signal) => fetch(`${platform.url}/v1/chat/completions`, { method: 'POST', headers, body, signal });
  return { user, model, body, headers, ask, open: () => resolve(''), asked: () => eventually('the provider was asked', () => upstream.seen(model).length > 0) };
}

const contentOf = (data) => (data === '[DONE]' ? '' : (JSON.parse(data).choices[0]?.delta.content ?? ''));
/** Reads a stream until its gate, then goes away; answers what had come by then. */
async function leaveInTheMiddle({ ask }) {
  const leaving = new AbortController();
  const response = await ask(leaving.signal);
  assert.equal(response.status, 200);
  let text = '';
  for await (const { data } of events(response)) {
    text += contentOf(data);
    if (text.endsWith(' and')) break;
  }
  leaving.abort();
  return text;
}
/** Goes away before anything came. */
async function leaveAtOnce({ ask, asked }) {
  const leaving = new AbortController();
  const lost = assert.rejects(ask(leaving.signal));
  await asked();
  leaving.abort();
  await lost;
}
/** Asks without a client, so that the connection can be treated as no client would. */
async function askByHand({ headers, body }) {
  const socket = connect(platform.port, '127.0.0.1');
  await once(socket, 'connect');
  const lines = Object.entries({ host: `127.0.0.1:${platform.port}`, ...headers, 'content-length': Buffer.byteLength(body) }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return socket;
}
/** Ends a connection as a machine does that is switched off and on again, or a proxy that gives up: not with a goodbye (FIN), but with RST. */
async function reset(socket) {
  const closed = once(socket, 'close');
  socket.resetAndDestroy();
  await closed;
}
/** Asks until there is an answer: "still running" is one that says when to come back. */
async function comeBack({ ask }) {
  return eventually('the answer', async () => {
    const response = await ask();
    const answer = { status: response.status, headers: response.headers, text: await response.text() };
    if (answer.status === 503) answer.data = JSON.parse(answer.text);
    return answer.data?.code !== 'idempotency_key_in_progress' && answer;
  }, 15_000);
}
const textOfStream = ({ text }) => text.split('\n\n').filter((frame) => frame.startsWith('data: ')).map((frame) => contentOf(frame.slice('data: '.length))).join('');

async function assertChargedOnce({ user, model }, tokens = 15, outcome = 'completed') {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [1, tokens]);
  assert.deepEqual((await logs(platform, user.access_token)).map((row) => [row.outcome, row.tokens]), [[outcome, tokens]]);
  assert.equal(upstream.seen(model).length, 1, 'the provider was asked once');
}
function assertReplay(answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('idempotent-replayed'), 'true');
}

for (const provider of Object.keys(GATED)) {
  test(`${provider}: a client that leaves in the middle of a stream gets all of it by asking again while it runs`, async () => {
    const request = await prepare({ stream: true, provider });
    const seen = await leaveInTheMiddle(request);
    const back = comeBack(request);
    request.open();
    const answer = await back;
    assertReplay(answer);
    assert.equal(textOfStream(answer), `${seen} on.`, 'what came before it left, and the rest');
    assert.match(answer.text, /data: \[DONE\]\n\n$/);
    await assertChargedOnce(request);
    assert.equal(upstream.seen(request.model)[0].broken, false, 'the provider was heard to its end');
  });

  test(`${provider}: a stream that ended while its client was away is there for it afterwards`, async () => {
    const request = await prepare({ stream: true, provider });
    const seen = await leaveInTheMiddle(request);
    request.open();
    // Nobody listens, and yet it is read to its end and charged as a whole.
    await assertChargedOnce(request);
    const answers = [await comeBack(request), await comeBack(request)];
    for (const answer of answers) {
      assertReplay(answer);
      assert.equal(textOfStream(answer), `${seen} on.`);
    }
    assert.equal(answers[1].text, answers[0].text, 'byte by byte');
    await assertChargedOnce(request);
  });
}

test('an answer in one piece that was made while its client was away is there for it afterwards', async () => {
  const request = await prepare({ stream: false });
  await leaveAtOnce(request);
  request.open();
  await assertChargedOnce(request);
  const answers = [await comeBack(request), await comeBack(request)];
  for (const answer of answers) assertReplay(answer);
  assert.match(answers[0].text, /Answer/);
  assert.equal(answers[1].text, answers[0].text);
  await assertChargedOnce(request);
});

for (const stream of [false, true]) {
  const what = stream ? 'stream' : 'answer';

  test(`who goes away again and again while waiting for the ${what} still gets it in the end`, async () => {
    const request = await prepare({ stream });
    await (stream ? leaveInTheMiddle(request) : leaveAtOnce(request));
    for (let n = 0; n < 5; n++) {
      const leaving = new AbortController();
      const lost = assert.rejects(request.ask(leaving.signal));
      // Its request is on its way once the platform has answered somebody who asked after it.
      await quota(platform, request.user.access_token);
      leaving.abort();
      await lost;
    }
    const back = comeBack(request);
    request.open();
    assertReplay(await back);
    await assertChargedOnce(request);
  });

  test(`20 who ask for the ${what} and leave at once, and one who stays: one call, one charge`, async () => {
    const request = await prepare({ stream });
    const leaving = Array.from({ length: 20 }, () => new AbortController());
    const lost = leaving.map(({ signal }) => request.ask(signal).then((response) => response.text()).catch(() => 'gone'));
    await request.asked();
    for (const controller of leaving) controller.abort();
    assert.deepEqual([...new Set(await Promise.all(lost))], ['gone']);
    const back = comeBack(request);
    request.open();
    assertReplay(await back);
    await assertChargedOnce(request);
  });

  test(`a connection that is reset before the ${what} begins: it is made and charged all the same, and is there afterwards`, async () => {
    const request = await prepare({ stream, silent: true });
    const socket = await askByHand(request);
    await request.asked();
    await reset(socket);
    request.open();
    await assertChargedOnce(request);
    assertReplay(await comeBack(request));
    await assertChargedOnce(request);
  });

  test(`a connection that is reset before the ${what} begins, without a key: what the provider did is charged, and nothing stays held`, async () => {
    const request = await prepare({ stream, silent: true });
    delete request.headers['idempotency-key'];
    const socket = await askByHand(request);
    await request.asked();
    await reset(socket);
    request.open();
    const { requests, tokens } = await settledQuota(platform, request.user.access_token);
    const [row] = await logs(platform, request.user.access_token);
    // Either it is heard to its end, or the provider is told to stop: what it has done by then is not free.
    assert.ok(['completed', 'client_gone'].includes(row?.outcome), JSON.stringify(row));
    assert.deepEqual([requests.used, tokens.used], [1, row.tokens]);
  });
}

test('a connection that is reset in the middle of a stream: all of it is there afterwards', async () => {
  const request = await prepare({ stream: true });
  const socket = await askByHand(request);
  await once(socket, 'data');
  await reset(socket);
  const back = comeBack(request);
  request.open();
  assertReplay(await back);
  await assertChargedOnce(request);
});

test('a client that left, and whose provider then fails, is told so, pays nothing and may ask again', async () => {
  const user = await register(platform);
  const model = `away-${randomUUID()}`;
  const gate = Promise.withResolvers();
  let broken = true;
  upstream.answers(model, async ({ json }) => {
    if (!broken) return json(200, openai.completion('At last.', USAGE));
    await gate.promise;
    return json(500, { error: { message: 'inner trouble', type: 'server_error' } });
  });
  const body = JSON.stringify({ model: `openai/${model}`, messages: [{ role: 'user', content: 'Where is the toll paid?' }] });
  const ask = (signal) => fetch(`${platform.url}/v1/chat/completions`, { method: 'POST', headers: { ...bearer(user.access_token), 'content-type': 'application/json', 'idempotency-key': 'away' }, body, signal });
  await leaveAtOnce({ ask, asked: () => eventually('the provider was asked', () => upstream.seen(model).length === 1) });
  gate.resolve();
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [0, 0]);
  broken = false;
  const answer = await comeBack({ ask });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('idempotent-replayed'), null, 'a new try');
  const after = await settledQuota(platform, user.access_token);
  assert.deepEqual([after.requests.used, after.tokens.used, upstream.seen(model).length], [1, 15, 2]);
});

test('a stream that its client left, and that then breaks off, is the same broken stream for who comes back', async () => {
  const request = await prepare({ stream: true, end: [openai.error('secret inner trouble')] });
  const seen = await leaveInTheMiddle(request);
  request.open();
  const { tokens } = await settledQuota(platform, request.user.access_token);
  assert.ok(tokens.used > 0, 'what was delivered counts');
  const answer = await comeBack(request);
  assertReplay(answer);
  const frames = answer.text.split('\n\n').filter((frame) => frame.startsWith('data: ')).map((frame) => frame.slice('data: '.length));
  assert.equal(frames.filter((frame) => !frame.includes('"error"')).map(contentOf).join(''), seen);
  assert.ok(JSON.parse(frames.at(-1)).error.message, 'it ends with the error');
  assert.doesNotMatch(answer.text, /secret|\[DONE\]/);
  await assertChargedOnce(request, tokens.used, 'failed');
});

test('the SDK that loses patience and tries again by itself with the same key gets the one answer', async () => {
  const request = await prepare({ stream: false });
  let calls = 0;
  const client = new OpenAI({
    apiKey: request.user.access_token,
    baseURL: `${platform.url}/v1`,
    maxRetries: 5,
    timeout: 1_000,
    fetch: (address, init) => {
      // The provider answers when the SDK is back for the second time.
      if (++calls === 3) request.open();
      return fetch(address, init);
    },
  });
  const { choices } = await client.chat.completions.create(JSON.parse(request.body), { headers: { 'idempotency-key': request.headers['idempotency-key'] } });
  assert.match(choices[0].message.content, /Answer/);
  assert.ok(calls >= 3, `${calls} calls`);
  await assertChargedOnce(request);
});

test('nothing panicked', () => platform.assertNoPanic());
