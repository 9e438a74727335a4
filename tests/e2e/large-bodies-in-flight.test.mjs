// A few large bodies are in memory at once. A place is taken from the first byte that is read until the last one is sent on, and free
// again however that ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';

/** A provider that takes a call and reads nothing of it. */
const sockets = new Set();
const deaf = createServer({ pauseOnConnect: true }, (socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
});
deaf.listen(0, '127.0.0.1');
await once(deaf, 'listening');
const hangUp = () => sockets.forEach((socket) => socket.resetAndDestroy());
after(() => {
  hangUp();
  deaf.close();
});

const upstream = await startUpstream();
const platform = await withPlatform({ env: { ...upstream.env, ANTHROPIC_BASE_URL: `http://127.0.0.1:${deaf.address().port}` } });
const user = await register(platform);

/** An image of 100 by 100 pixels and so many bytes. */
function image(bytes) {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000064000000640802000000', 'hex');
  return { type: 'image_url', image_url: { url: `data:image/png;base64,${Buffer.concat([head, Buffer.alloc(bytes, 7)]).toString('base64')}` } };
}
const ask = (model, bytes) => chat(platform, user.access_token, { model, max_tokens: 10, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it? Größe 世界' }, image(bytes)] }] });

test('a place is free once the body is sent, long before its answer', async () => {
  const gate = Promise.withResolvers();
  upstream.answers('gpt-4o', async ({ json }) => {
    await gate.promise;
    return json(200, openai.completion('Seven.'));
  });
  const asked = Array.from({ length: 8 }, () => ask('openai/gpt-4o', 1_500_000));
  for (let n = 0; n < 400 && upstream.seen('gpt-4o').length < 8; n += 1) await sleep(50);
  assert.equal(upstream.seen('gpt-4o').length, 8, 'all were sent while none was answered');
  gate.resolve();
  for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200, answer.text);
  for (const { body, headers } of upstream.seen('gpt-4o')) {
    assert.deepEqual(body.messages[0].content, [{ type: 'text', text: 'What is it? Größe 世界' }, image(1_500_000)]);
    assert.ok(Number(headers['content-length']) > 2_000_000, 'its length is said');
  }
});

test('twelve of eight megabytes at once are all answered, a few at a time', async (t) => {
  const memory = () => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${platform.workerdPid()}/status`, 'utf8'))[1]) / 1024);
  const before = memory();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, memory())), 20);
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask('openai/gpt-4o-memory', 6_000_000)));
  clearInterval(watch);
  t.diagnostic(`12 bodies of 8 MB: memory ${before} MB, then ${most} MB at most; ${answers.map(({ status }) => status).join(' ')}`);
  // On a slow machine some may be told to come again.
  for (const answer of answers) assert.ok(answer.status === 200 || answer.data?.code === 'too_busy', answer.text);
});

test('clients that leave in the middle of a body leave their places', async () => {
  for (let n = 0; n < 5; n += 1) {
    const socket = connect(platform.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.access_token}\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n{"model":"${'x'.repeat(100_000)}`);
    await sleep(200);
    socket.resetAndDestroy();
  }
  const answer = await ask('openai/gpt-4o', 200_000);
  assert.equal(answer.status, 200, answer.text);
});

test('bodies that are refused leave their places', async () => {
  for (let n = 0; n < 5; n += 1) assertProblem(await ask('openai/gpt-4o', 7_000_000), 413, 'payload_too_large');
  for (let n = 0; n < 5; n += 1) assertProblem(await ask('nobody/x', 100_000), 404, 'model_not_found');
  assert.equal((await ask('openai/gpt-4o', 200_000)).status, 200);
});

test('a fourth waits, then is told when to come again; small ones and others are served', async () => {
  const stuck = Array.from({ length: 3 }, () => ask('anthropic/claude-opus-5', 5_500_000));
  await sleep(1_500);
  const fourth = ask('openai/gpt-4o', 200_000);
  const small = await chat(platform, user.access_token, { model: 'openai/gpt-4o', max_tokens: 10 });
  assert.equal(small.status, 200, small.text);
  const told = await fourth;
  assertProblem(told, 503, 'too_busy');
  assert.equal(told.headers.get('retry-after'), '5');
  hangUp();
  for (const answer of await Promise.all(stuck)) assertProblem(answer, 502, 'provider_error');
  const again = await ask('openai/gpt-4o', 200_000);
  assert.equal(again.status, 200, again.text);
});

test('nothing panicked', () => platform.assertNoPanic());
