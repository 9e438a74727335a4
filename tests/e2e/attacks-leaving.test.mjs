// Clients that leave before the provider says what it took, in each way one can leave: once, ten at once, a hundred at once. A model thinks
// 20,000 tokens that nobody sees; who leaves after the first word pays for them as who stays.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { meanwhile, memory, startTable } from '../harness/attack.mjs';
import { bearer, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, settledQuota } from '../harness/usage.mjs';

const USED = 20_010;
const upstream = await startUpstream();
// A provider that has nothing more to say is given up after so many seconds here instead of two minutes.
const silence = Object.fromEntries(['OPENAI', 'ANTHROPIC', 'GEMINI'].map((name) => [`${name}_TIMEOUT_SILENCE_SECONDS`, '8']));
const platform = await withPlatform({ env: { ...upstream.env, ...silence } });
const users = [];
for (let n = 0; n < 14; n++) users.push(await register(platform));
const LIMITS = { requests: { hard: 100_000 }, tokens: { hard: 100_000_000 } };
await platform.restart({ whileStopped: () => subscribe(platform.stateDir, users.map(({ user }) => ({ user, limits: LIMITS }))) });
const other = users.pop();

/** Streams that say one word, think until the gate opens, and then tell what they took. */
const STREAMS = {
  openai: (gate) => async function* () {
    yield openai.text('Well, ');
    yield await gate;
    yield* [openai.text('no.'), openai.finish(), openai.usage(10, 20_000), openai.done()];
  },
  anthropic: (gate) => async function* () {
    yield anthropic.start(10) + anthropic.text('Well, ');
    yield await gate;
    yield* [anthropic.text('no.'), anthropic.finish(20_000)];
  },
  gemini: (gate) => async function* () {
    yield gemini.text('Well, ');
    yield await gate;
    yield gemini.frame({ candidates: [{ content: { parts: [{ text: 'no.' }] }, finishReason: 'STOP', index: 0 }], usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 100, thoughtsTokenCount: 19_900, totalTokenCount: USED } });
  },
};
/** What one who stops reading is sent: more than the lines between hold, so that a write waits, then a moment of thought. */
const WORDS = 'word '.repeat(10_000);
async function* flood(gate) {
  yield openai.text('Well, ');
  for (let n = 0; n < 240; n++) yield openai.text(WORDS);
  yield await gate;
  yield* [openai.finish(), openai.usage(10, 20_000), openai.done()];
}

/** Asks on a connection of its own, which can be left as no client leaves one. */
async function ask(user, model, stream = true) {
  const socket = connect(platform.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const body = JSON.stringify({ model, stream, max_tokens: 30_000, messages: [{ role: 'user', content: 'Is it so?' }] });
  const headers = { host: 'x', ...bearer(user.access_token), 'content-type': 'application/json', 'content-length': body.length };
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  return socket;
}
async function firstWord(socket) {
  let text = '';
  while (!text.includes('Well')) text += (await once(socket, 'data'))[0];
}
const after = async (socket, leave) => {
  await firstWord(socket);
  leave(socket);
};
const hangUp = (socket) => void socket.destroy();
const reset = (socket) => void socket.resetAndDestroy();
const leftAtOnce = (leave) => async (socket, asked) => {
  await asked;
  leave(socket);
};
const WAYS = {
  // Long enough for the platform to see that nobody listens any more.
  'hangs up after the first word (OpenAI)': { provider: 'openai', counts: [1, 10, 100], keepOn: 4_500, leave: (socket) => after(socket, hangUp) },
  'hangs up after the first word (Anthropic)': { provider: 'anthropic', counts: [1, 10], leave: (socket) => after(socket, hangUp) },
  'hangs up after the first word (Gemini)': { provider: 'gemini', counts: [1, 10], leave: (socket) => after(socket, hangUp) },
  'resets the line after the first word': { provider: 'openai', counts: [1, 10, 100], leave: (socket) => after(socket, reset) },
  'hangs up before the first word': { provider: 'openai', silent: true, counts: [1, 10, 100], leave: leftAtOnce(hangUp) },
  'hangs up on a whole answer': { provider: 'openai', stream: false, counts: [1, 10, 100], leave: leftAtOnce(reset) },
};

const table = startTable('the client', 'at once', 'the provider used', 'charged', 'outcomes', 'memory MB before', 'then');
let models = 0;
async function leaveBehind(name, count, { provider, stream = true, silent = false, leave, frames, keepOn = 500 }) {
  const user = users[models % users.length];
  const model = `leaving-${models++}`;
  const gate = Promise.withResolvers();
  upstream.answers(model, async ({ json, stream: send }) => {
    if (silent || !stream) await gate.promise;
    if (!stream) return json(200, openai.completion('Well, no.', { prompt_tokens: 10, completion_tokens: 20_000, total_tokens: USED }));
    return send(frames ? frames(gate.promise) : STREAMS[provider](gate.promise)());
  });
  const before = { tokens: (await settledQuota(platform, user.access_token, 60_000)).tokens.used, memory: memory(platform) };
  const sockets = await Promise.all(Array.from({ length: count }, () => ask(user, `${provider}/${model}`, stream)));
  const asked = eventually('all were asked', () => upstream.seen(model).length === count, 60_000);
  await Promise.all(sockets.map((socket) => leave(socket, asked)));
  await asked;
  await sleep(keepOn);
  gate.resolve('');
  const { tokens } = await settledQuota(platform, user.access_token, 90_000);
  const charged = tokens.used - before.tokens;
  const rows = (await logs(platform, user.access_token)).filter((row) => row.model === `${provider}/${model}`);
  sockets.forEach(hangUp);
  const outcomes = [...new Set(rows.map(({ outcome, estimated }) => `${outcome}${estimated ? ', estimated' : ''}`))].join('; ');
  table.row(name, count, count * USED, charged, outcomes, before.memory, memory(platform));
  assert.equal(rows.length, count, 'a row for each');
  return { charged, rows };
}

for (const [name, way] of Object.entries(WAYS)) {
  test(`who ${name} is charged what the provider used: once, and many times at once`, async () => {
    for (const count of way.counts) {
      const { result } = await meanwhile(platform, other.access_token, async () => [await leaveBehind(name, count, way)], { least: 1, questions: 10_000 });
      for (const { charged } of result) assert.equal(charged, count * USED, `${name}, ${count} at once`);
    }
  });
}

test('who stops reading is charged what the provider used, once it told: one, and ten at once', async () => {
  const stop = (socket) => after(socket, () => socket.pause());
  await Promise.all([1, 10].map(async (count) => {
    const { charged } = await leaveBehind('stops reading', count, { provider: 'openai', frames: flood, leave: stop });
    assert.equal(charged, count * USED);
  }));
});

test('who leaves a provider that never tells is charged what was held at least: one, and ten at once', async () => {
  async function* never() {
    yield openai.text('Well, ');
    await new Promise(() => {});
  }
  await Promise.all([1, 10].map(async (count) => {
    const { charged, rows } = await leaveBehind('hangs up, and the provider never tells', count, { provider: 'openai', frames: never, leave: (socket) => after(socket, hangUp) });
    assert.ok(charged >= count * 30_000, `${charged} of what was held`);
    for (const { outcome, estimated } of rows) assert.deepEqual([outcome, estimated], ['client_gone', true]);
  }));
});

test('nothing is held afterwards, and nothing panicked', async (t) => {
  table.print(t);
  for (const user of users) assert.equal((await settledQuota(platform, user.access_token)).tokens.reserved, 0);
  platform.assertNoPanic();
});
