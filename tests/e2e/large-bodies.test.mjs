// Bodies that are made to hold everybody: what they are answered, and that others are answered meanwhile.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { madeUpKey, meanwhile, sendAlone } from '../harness/attack.mjs';
import { assertProblem, chat, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
const user = await register(platform);
/** Who asks all the while. */
const other = await register(platform);

const members = (bytes) => `{${Array.from({ length: Math.floor(bytes / 12) }, (_, n) => `"k${n}":${n % 10}`).join(',')}}`;
const send = (token, body) => sendAlone(platform, token, body);

for (const [name, bytes] of [['870 kB', 870_000], ['ten times that, cut at what is taken', 8_000_000]]) {
  const body = members(bytes);
  test(`${name} of distinct members under a made-up key: 401, and none of it is read`, async (t) => {
    const { result, others, slowest, before, after } = await meanwhile(platform, other.access_token, () => Promise.all(Array.from({ length: 8 }, () => send(madeUpKey(), body))));
    for (const answer of result) {
      // The rest is not taken, and who is still sending may see that before the answer.
      if (answer.status !== 'line closed') assertProblem(answer, 401, 'unauthorized');
    }
    t.diagnostic(`8 bodies of ${bytes} bytes; ${others} answers to others meanwhile, the slowest after ${slowest} ms; memory ${before} MB, then ${after} MB`);
  });
  test(`${name} of distinct members of a user: 422, what is too many is said`, async (t) => {
    const { result, others, slowest } = await meanwhile(platform, other.access_token, () => Promise.all(Array.from({ length: 3 }, () => send(user.access_token, body))));
    for (const answer of result) {
      assertProblem(answer, 422, 'invalid_input');
      assert.match(answer.data.detail, /too many values/);
    }
    t.diagnostic(`3 bodies of ${bytes} bytes; ${others} answers to others meanwhile, the slowest after ${slowest} ms`);
  });
}

test('a body without a length is read up to 64 kB before its key is proven', async () => {
  const answer = await new Promise((resolve, reject) => {
    const socket = connect(platform.port, '127.0.0.1');
    let text = '';
    let sent = 0;
    socket.on('error', () => resolve({ text, sent }));
    socket.on('data', (data) => {
      text += data;
      socket.end();
    });
    socket.on('close', () => resolve({ text, sent }));
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${madeUpKey()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const piece = 'x'.repeat(16_000);
    const more = () => {
      if (socket.destroyed || text || sent > 4_000_000) return;
      sent += piece.length;
      socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`, () => setTimeout(more, 5));
    };
    more();
    setTimeout(() => reject(new Error('no answer')), 30_000).unref();
  });
  assert.match(answer.text, /^HTTP\/1\.1 401 /);
  assert.ok(answer.sent < 1_000_000, `${answer.sent} bytes were taken`);
});

test('words times sentences hold nobody: 700 kB and 700 kB for the extractive model', async (t) => {
  const sentences = Array.from({ length: 50_000 }, (_, n) => `w${n} is here.`).join(' ');
  const words = Array.from({ length: 100_000 }, (_, n) => `w${n}`).join(' ');
  const { result, others, slowest } = await meanwhile(platform, other.access_token, () => Promise.all(Array.from({ length: 2 }, () => post(platform, '/v1/chat/completions', { model: 'tollgate/extractive', max_tokens: 50, messages: [{ role: 'system', content: sentences }, { role: 'user', content: `${words}?` }] }, { token: user.access_token }))));
  for (const answer of result) assertProblem(answer, 429, 'quota_exceeded');
  t.diagnostic(`${others} answers to others meanwhile, the slowest after ${slowest} ms`);
});

test('a key that is good sends large bodies, and is proven once for many', async () => {
  const { data } = await post(platform, '/user/api-keys', { name: 'large', scopes: ['chat'] }, { token: user.access_token });
  const body = { model: 'tollgate/extractive', max_tokens: 50, messages: [{ role: 'user', content: 'Where?' }], logit_bias: Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [String(n), 1])) };
  assert.ok(JSON.stringify(body).length > 70_000);
  for (let n = 0; n < 3; n++) {
    const answer = await post(platform, '/v1/chat/completions', body, { token: data.secret });
    assert.equal(answer.status, 200, answer.text);
  }
  assert.equal((await chat(platform, data.secret)).status, 200);
});

test('nothing panicked', () => platform.assertNoPanic());
