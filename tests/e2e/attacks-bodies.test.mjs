// Bodies that are made to hold everybody, of the size that once did and ten times that: many members, deep, many parts, from one client
// and from ten at once, with a key that anybody can make up and with one that is good. Meanwhile somebody else makes ordinary calls, and
// each of them is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { madeUpKey, meanwhile, sendAlone, startTable, tally } from '../harness/attack.mjs';
import { post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const MOST_BYTES = 8 * 1024 * 1024;
/** What the runtime may grow by at most, in MB: three bodies of 8 MB at once, each several times its size, and what it has not given back yet. */
const MOST_GROWTH = 400;

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const [attacker, other] = [await register(platform), await register(platform)];
const LIMITS = { requests: { hard: 100_000 }, tokens: { hard: 1_000_000_000 } };
await platform.restart({ whileStopped: () => subscribe(platform.stateDir, [attacker, other].map(({ user }) => ({ user, limits: LIMITS }))) });
const { data: key } = await post(platform, '/user/api-keys', { name: 'attack', scopes: ['chat'] }, { token: attacker.access_token });

/** As many pieces as fit between two ends, in so many bytes at most. */
function filled(begin, piece, end, bytes) {
  const pieces = [];
  for (let [n, left] = [0, bytes - begin.length - end.length]; left > 0; n++) {
    const next = (n > 0 ? ',' : '') + piece(n);
    left -= next.length;
    if (left >= 0) pieces.push(next);
  }
  return Buffer.from(begin + pieces.join('') + end);
}
const around = (bytes, begin, open, inner, close, end) => {
  const depth = Math.floor((bytes - begin.length - inner.length - end.length) / (open.length + close.length));
  return Buffer.from(begin + open.repeat(depth) + inner + close.repeat(depth) + end);
};
const asked = (model) => `{"model":"${model}","max_tokens":10,"messages":[{"role":"user","content":`;
const tools = (model) => `${asked(model)}"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{`;

/** Each makes a body of so many bytes. */
const KINDS = {
  'distinct members': (bytes) => filled('{', (n) => `"k${n}":${n % 10}`, '}', bytes),
  'one member again and again': (bytes) => filled('{', () => '"model":"a"', '}', bytes),
  'distinct members of a message': (bytes) => filled('{"model":"openai/x","messages":[{"role":"user","content":"Hi",', (n) => `"k${n}":${n % 10}`, '}]}', bytes),
  'lists in lists': (bytes) => around(bytes, asked('openai/x'), '[', '1', ']', '}]}'),
  'objects in objects': (bytes) => around(bytes, '{"model":"openai/x","messages":[{"role":"user","content":"Hi"}],"metadata":', '{"a":', '1', '}', '}'),
  'parts of text': (bytes) => filled(`${asked('openai/x')}[`, () => '{"type":"text","text":"a"}', ']}]}', bytes),
  'parts with images': (bytes) => filled(`${asked('openai/x')}[`, (n) => `{"type":"image_url","image_url":{"url":"https://example.com/${n}"}}`, ']}]}', bytes),
  messages: (bytes) => filled('{"model":"openai/x","messages":[', () => '{"role":"user","content":"a"}', ']}', bytes),
  'properties of a tool, for OpenAI': (bytes) => filled(tools('openai/x'), (n) => `"k${n}":{}`, '}}}}]}', bytes),
  'properties of a tool, for Gemini': (bytes) => filled(tools('gemini/x'), (n) => `"k${n}":{}`, '}}}}]}', bytes),
  'properties of a tool, for Anthropic': (bytes) => filled(tools('anthropic/x'), (n) => `"k${n}":{}`, '}}}}]}', bytes),
  'escaped letters': (bytes) => Buffer.from(`${asked('openai/x')}"${'\\u0061'.repeat(Math.floor((bytes - 200) / 6))}"}]}`),
  'quotation marks': (bytes) => Buffer.from(`${asked('anthropic/x')}"${'\\"'.repeat(Math.floor((bytes - 200) / 2))}"}]}`),
  'stop sequences': (bytes) => filled(`${asked('openai/x')}"Hi"}],"stop":[`, (n) => `"s${n}"`, ']}', bytes),
};

const send = (token, body) => sendAlone(platform, token, body);
const table = startTable('attack', 'from', 'sent', 'answers', "others' calls", 'median ms', 'slowest ms', 'memory MB before', 'most', 'after');
async function attack(name, from, bytes, work, least) {
  const seen = await meanwhile(platform, other.access_token, work, { questions: 10_000, least });
  const answers = tally(seen.result.map(({ status, data }) => (data?.code ? `${status} ${data.code}` : status)));
  table.row(name, from, `${seen.result.length}, ${((seen.result.length * bytes) / 1e6).toFixed(1)} MB`, answers, seen.others, seen.median, seen.slowest, seen.before, seen.most, seen.after);
  assert.ok(seen.most - seen.before < MOST_GROWTH, `memory grew from ${seen.before} MB to ${seen.most} MB`);
  return seen.result;
}
const KEYS = { 'a made-up key': () => madeUpKey(), 'a good key': () => key.secret };
/** Who is nobody is told so, and nobody else. */
const expected = (whose) => (whose === 'a made-up key' ? [401, 'line closed'] : [422, 503]);

for (const whose of Object.keys(KEYS)) {
  test(`distinct members of 430 kB, 870 kB and 6 MB from one client with ${whose}`, async () => {
    for (const bytes of [430_000, 870_000, 6_000_000]) {
      const body = KINDS['distinct members'](bytes);
      const answers = await attack(`distinct members, ${bytes / 1_000} kB`, `one, ${whose}`, bytes, async () => [await send(KEYS[whose](), body)]);
      for (const { status } of answers) assert.ok(expected(whose).includes(status), `${status}`);
    }
  });

  test(`ten times that: as many members as there may be bytes, from ten clients at once with ${whose}, three times each`, async () => {
    const body = KINDS['distinct members'](MOST_BYTES);
    const client = async () => {
      const answers = [];
      for (let n = 0; n < 3; n++) answers.push(await send(KEYS[whose](), body));
      return answers;
    };
    const answers = await attack('distinct members, 8 MiB', `ten at once, ${whose}`, MOST_BYTES, async () => (await Promise.all(Array.from({ length: 10 }, client))).flat(), 20);
    for (const { status } of answers) assert.ok(expected(whose).includes(status), `${status}`);
  });

  test(`bodies of every kind from ten clients at once with ${whose}`, async () => {
    const bodies = Object.values(KINDS).map((make) => make(MOST_BYTES));
    const client = async (waiting, answers) => {
      for (let body = waiting.shift(); body; body = waiting.shift()) answers.push(await send(KEYS[whose](), body));
    };
    const work = async () => {
      const [waiting, answers] = [[...bodies], []];
      await Promise.all(Array.from({ length: 10 }, () => client(waiting, answers)));
      return answers;
    };
    const answers = await attack('every kind, 8 MiB', `ten at once, ${whose}`, MOST_BYTES, work, 20);
    // None is an accident: each is refused for what it is, told to come again, or in order.
    for (const { status, text } of answers) assert.ok((whose === 'a made-up key' ? [401, 'line closed'] : [200, 413, 422, 429, 502, 503]).includes(status), `${status} ${text}`);
  });
}

test('each kind alone, of 430 kB and of 8 MiB', async () => {
  upstream.answers('x', ({ json }) => json(200, openai.completion('Yes.')));
  for (const [name, make] of Object.entries(KINDS)) {
    for (const bytes of [430_000, MOST_BYTES]) {
      const body = make(bytes);
      assert.ok(body.length <= bytes && body.length > bytes * 0.99, `${name} has ${body.length} bytes`);
      const answers = await attack(`${name}, ${bytes === MOST_BYTES ? '8 MiB' : '430 kB'}`, 'one, a good key', bytes, async () => [await send(key.secret, body)]);
      for (const { status, text } of answers) assert.ok([200, 413, 422, 429, 502].includes(status), `${name}: ${status} ${text}`);
    }
  }
});

test('afterwards nothing is held, a large body that is in order is answered, and nothing panicked', async (t) => {
  table.print(t);
  const { requests } = await settledQuota(platform, attacker.access_token, 30_000);
  assert.equal(requests.reserved, 0);
  const answer = await send(key.secret, JSON.stringify({ model: 'openai/x', max_tokens: 10, messages: [{ role: 'user', content: 'The toll is paid at the gate. '.repeat(10_000) }] }));
  assert.equal(answer.status, 200, answer.text);
  platform.assertNoPanic();
  assert.deepEqual(platform.log.filter((line) => /"level":"error"/.test(line)), []);
});
