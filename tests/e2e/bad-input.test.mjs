// Input that is wrong, hostile or just unusual: the documented problem each time, never a 5xx, and no panic in the log.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { assertProblem, call, chat, freshEmail, get, PASSWORD, patch, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { rawRequest } from '../harness/raw.mjs';
import { startUpstream } from '../harness/upstream.mjs';
import { quota, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

let user;
let token;
before(async () => {
  user = await register(platform);
  token = user.access_token;
});

const JSON_TYPE = { 'content-type': 'application/json' };
/** Every call that takes a body, with a body whose form is right. */
const BODIES = [
  ['POST', '/auth/register', { email: 'bad-input@example.com', password: PASSWORD }],
  ['POST', '/auth/login', { email: 'bad-input@example.com', password: PASSWORD }],
  ['POST', '/auth/refresh', { refresh_token: 'x' }],
  ['POST', '/auth/logout', { refresh_token: 'x' }],
  ['PATCH', '/user/profile', { name: 'Bad Input' }],
  ['POST', '/v1/chat/completions', { model: 'openai/gpt-x', messages: [{ role: 'user', content: 'Hello.' }] }],
];
const send = (method, path, body, headers = JSON_TYPE) => call(platform, method, path, { token, body, headers });

for (const [method, path, sound] of BODIES) {
  test(`${method} ${path}: what is not JSON is 400`, async () => {
    const good = JSON.stringify(sound);
    const [first, ...rest] = good;
    for (const body of [
      '', ' ', '{', '}', '{"', '"', 'nope', 'undefined', 'NaN', '\0', "{'name':'x'}",
      good.slice(0, -1), `${good} x`, good + good, `${good},`, `${good.slice(0, -1)},}`, `\ufeff${good}`, `${good}\0`,
      good.replaceAll('"', "'"), good.replace(':', ''), good.replace(':"', ':"\u0001'), good.replace(':"', ':"\\x'), `/* c */${good}`, [first, '\0', ...rest].join(''),
      Buffer.from([0xff, 0xfe, 0x00]), Buffer.from(good.replace(':"', ':"\xff'), 'latin1'), Buffer.from(good, 'utf16le'),
    ]) {
      const answer = await send(method, path, typeof body === 'string' ? Buffer.from(body) : body);
      assert.equal(answer.status, 400, `${JSON.stringify(String(body))}: ${answer.status} ${answer.text}`);
      assertProblem(answer, 400, 'bad_request');
    }
  });

  test(`${method} ${path}: JSON of another shape is 400 or 422 and says so`, async () => {
    const wrong = [];
    // The last one is the right values without their names.
    for (const body of ['null', '[]', '7', '"text"', 'true', '[{}]', JSON.stringify(sound).slice(1), JSON.stringify(Object.values(sound))]) {
      const answer = await send(method, path, body);
      if ([400, 422].includes(answer.status)) assertProblem(answer, answer.status);
      else wrong.push(`${body} is taken: ${answer.status}`);
      if (/\bstruct\b/.test(answer.text)) wrong.push(`${body} tells of our types: ${answer.data.detail}`);
    }
    assert.deepEqual(wrong, []);
  });

  test(`${method} ${path}: a number beyond all numbers and a very deep nesting are refused in time`, async () => {
    for (const body of ['['.repeat(10_000) + ']'.repeat(10_000), '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000), `{"email":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, `{"messages":${'['.repeat(10_000)}${']'.repeat(10_000)},"model":"openai/x"}`, '['.repeat(200_000), '{"a":1e999999}', `{"a":${'9'.repeat(10_000)}}`]) {
      const answer = await send(method, path, body);
      assert.ok([400, 422].includes(answer.status), `${body.slice(0, 30)}…: ${answer.status} ${answer.text.slice(0, 200)}`);
      assertProblem(answer, answer.status);
    }
  });

  test(`${method} ${path}: another content type is 415`, async () => {
    const body = JSON.stringify({ email: freshEmail(), password: PASSWORD });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml', 'application/jsonx', 'json', '']) {
      assertProblem(await send(method, path, body, { 'content-type': type }), 415, 'unsupported_media_type');
    }
    // Without the header at all: fetch would add one.
    const bare = await rawRequest(platform, { method, path, headers: [['Authorization', `Bearer ${token}`]], body });
    assertProblem(bare, 415, 'unsupported_media_type');
  });

  test(`${method} ${path}: a body of 10 MB is 413, declared or not`, async () => {
    const head = [['Authorization', `Bearer ${token}`], ['Content-Type', 'application/json']];
    const piece = Buffer.alloc(65_536, 'x');
    const size = 10_000_000;
    // Declared, and then silence: refused without all of it.
    const declared = await rawRequest(platform, { method, path, headers: [...head, ['Content-Length', String(size)]], pieces: [piece] });
    assertProblem(declared, 413, 'payload_too_large');
    // Chunked: refused when it has become too much.
    const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    const chunked = await rawRequest(platform, { method, path, headers: [...head, ['Transfer-Encoding', 'chunked']], pieces: [...Array(Math.ceil(size / piece.length)).fill(chunk), '0\r\n\r\n'] });
    assertProblem(chunked, 413, 'payload_too_large');
  });

  test(`${method} ${path}: declared types are read as RFC 9110 has it`, async () => {
    for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset="UTF-8"', 'application/vnd.api+json']) {
      const answer = await send(method, path, '{', { 'content-type': type });
      assertProblem(answer, 400, 'bad_request');
    }
  });
}

test('every field of a registration and a sign-in has its type', async () => {
  const good = { email: freshEmail(), password: PASSWORD, name: 'x', product: 'agent' };
  const wrong = [7, -1.5, true, [], {}, ['x'], { x: 1 }];
  for (const [path, fields] of [['/auth/register', ['email', 'password', 'name', 'product']], ['/auth/login', ['email', 'password']], ['/auth/refresh', ['refresh_token']], ['/auth/logout', ['refresh_token']]]) {
    for (const field of fields) {
      for (const value of wrong) {
        const problem = assertProblem(await post(platform, path, { ...good, [field]: value }), 422, 'invalid_input');
        assert.deepEqual(problem.errors.map((error) => error.field), [field], `${path} ${field} = ${JSON.stringify(value)}`);
      }
      if (!['name', 'product'].includes(field)) {
        for (const input of [{ ...good, [field]: null }, { ...good, [field]: undefined }]) {
          const problem = assertProblem(await post(platform, path, input), 422, 'invalid_input');
          assert.equal(problem.errors[0].field, field);
        }
      }
    }
  }
  // Null is the same as leaving it out, where that is allowed.
  assert.equal((await post(platform, '/auth/register', { ...good, name: null, product: null })).status, 201);
});

test('a field that comes twice is refused rather than guessed', async () => {
  const body = `{"email":"${freshEmail()}","email":"${freshEmail()}","password":"${PASSWORD}"}`;
  const problem = assertProblem(await post(platform, '/auth/register', body, { headers: JSON_TYPE }), 422, 'invalid_input');
  assert.equal(problem.errors[0].field, 'email');
});

test('every field of a chat completion has its type', async (t) => {
  const message = { role: 'user', content: 'Hello there.' };
  const good = { model: 'openai/gpt-x', messages: [message] };
  const cases = [
    ['model', { model: undefined }], ['model', { model: null }], ['model', { model: 7 }], ['model', { model: ['openai/x'] }],
    ['messages', { messages: undefined }], ['messages', { messages: null }], ['messages', { messages: [] }], ['messages', { messages: {} }], ['messages', { messages: 'Hello' }],
    ['messages[0]', { messages: ['Hello'] }], ['messages[0]', { messages: [null] }], ['messages[1]', { messages: [message, 7] }],
    ['messages[0].role', { messages: [{ content: 'x' }] }], ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }], ['messages[0].role', { messages: [{ role: 7, content: 'x' }] }],
    ['messages[0].content', { messages: [{ role: 'user' }] }], ['messages[0].content', { messages: [{ role: 'user', content: null }] }], ['messages[0].content', { messages: [{ role: 'user', content: 7 }] }], ['messages[0].content', { messages: [{ role: 'user', content: { text: 'x' } }] }],
    ['messages[0].content[0]', { messages: [{ role: 'user', content: ['x'] }] }], ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ text: 'x' }] }] }], ['messages[0].content[0].text', { messages: [{ role: 'user', content: [{ type: 'text', text: 7 }] }] }],
    ['messages[0].content[0].image_url', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }], ['messages[0].content[0].image_url.url', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] }] }],
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }], ['messages[0].tool_calls', { messages: [{ role: 'assistant', tool_calls: 'x' }] }], ['messages[0].tool_calls[0].id', { messages: [{ role: 'assistant', tool_calls: [{ type: 'function', function: { name: 'x', arguments: '{}' } }] }] }],
    ['stream', { stream: 'yes' }], ['stream', { stream: 1 }],
    ['stream_options', { stream: true, stream_options: [] }], ['stream_options.include_usage', { stream: true, stream_options: { include_usage: 'yes' } }],
    ['n', { n: 0 }], ['n', { n: 9 }], ['n', { n: 1.5 }], ['n', { n: '1' }], ['n', { n: -1 }],
    ['max_tokens', { max_tokens: 0 }], ['max_tokens', { max_tokens: -1 }], ['max_tokens', { max_tokens: 1.5 }], ['max_tokens', { max_tokens: '10' }], ['max_tokens', { max_tokens: 1e18 }], ['max_tokens', { max_tokens: {} }],
    ['max_completion_tokens', { max_completion_tokens: 0 }], ['max_completion_tokens', { max_completion_tokens: 'x' }],
    ['temperature', { temperature: 'hot' }], ['temperature', { temperature: 3 }], ['temperature', { temperature: -0.1 }], ['temperature', { temperature: [] }],
    ['top_p', { top_p: 1.1 }], ['top_p', { top_p: -1 }], ['top_p', { top_p: 'x' }],
    ['stop', { stop: 7 }], ['stop', { stop: {} }], ['stop[1]', { stop: ['a', 7] }],
    ['tools', { tools: {} }], ['tools[0]', { tools: ['x'] }], ['tools[0].type', { tools: [{}] }], ['tools[0].function', { tools: [{ type: 'function' }] }], ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }], ['tools[0].function.parameters', { tools: [{ type: 'function', function: { name: 'x', parameters: 'x' } }] }],
    ['tool_choice', { tool_choice: 'perhaps' }], ['tool_choice', { tool_choice: 7 }], ['tool_choice.function', { tool_choice: { type: 'function' } }],
    ['response_format', { response_format: 'json' }], ['response_format.type', { response_format: {} }], ['response_format.json_schema', { response_format: { type: 'json_schema' } }],
  ];
  for (const model of ['openai/gpt-x', 'tollgate/extractive']) {
    await t.test(model, async () => {
      for (const [field, change] of cases) {
        const answer = await post(platform, '/v1/chat/completions', { ...good, model, ...change }, { token });
        const where = `${field} in ${JSON.stringify(change)}`;
        assert.equal(answer.status, 422, `${where}: ${answer.status} ${answer.text}`);
        const problem = assertProblem(answer, 422, 'invalid_input');
        assert.equal(problem.errors[0].field, field, where);
        assert.equal(problem.error.param, field, where);
        assert.ok(problem.detail.includes(field), problem.detail);
      }
    });
  }
  await t.test('nothing of it was charged, and no provider was asked', async () => {
    const { requests, tokens } = await settledQuota(platform, token);
    assert.deepEqual([requests.used, tokens.used], [0, 0]);
    assert.equal(upstream.requests.length, 0);
  });
});

test('a model that does not exist is 404, whatever its name', async () => {
  for (const model of ['', ' ', '/', 'x', 'gpt-5', 'nobody/knows', 'openai/', '/x', 'openai/a b', 'openai/\u0000', 'openai/ümlaut', `openai/${'x'.repeat(500)}`, '🚧/🚧', 'tollgate/x', '__proto__/x', 'OPENAI/gpt', '../openai/x', "openai'/x", `${'x'.repeat(100_000)}/y`]) {
    const problem = assertProblem(await chat(platform, token, { model }), 404, 'model_not_found');
    assert.ok(problem.detail.length < 500, 'a long name is not repeated in full');
  }
  // A name that is odd, but can be sent, goes to the provider as it is and nowhere else.
  for (const model of ['../../admin', '%2e%2e', 'a?b=c', 'a#b', '..']) {
    const answer = await chat(platform, token, { model: `gemini/${model}` });
    assert.ok(answer.status < 500 || [502, 503].includes(answer.status), answer.text);
  }
  for (const { path } of upstream.requests) assert.match(path, /^\/v1beta\/models\/[^/?#]+:generateContent$/, 'a name cannot leave its place in the address');
});

/** A name as it is kept: without white space around it (Unicode's, not JavaScript's), and none is null. */
const trimmed = (name) => name.replaceAll(/^\p{White_Space}+|\p{White_Space}+$/gu, '') || null;

test('unicode is at home everywhere', async (t) => {
  const texts = ['Ω≈ç√∫˜µ≤≥÷', '社會科學院語學研究所', 'מעבר חציה באדום', 'مرحبا بالعالم', '👩‍👩‍👧‍👦🏳️‍🌈🚧', 'Z͑ͫ̓a̴lgo', '\u202Etxet desrever', 'ﬃ ǅ İ ı ẞ', 'a\u0000b', '\u2028\u2029', '\uFEFFbom', '퟿'];
  await t.test('in names', async () => {
    for (const name of texts) {
      const answer = await post(platform, '/auth/register', { email: freshEmail(), password: PASSWORD, name });
      assert.ok([201, 422].includes(answer.status), `${JSON.stringify(name)}: ${answer.status} ${answer.text}`);
      if (answer.status === 201) {
        assert.equal(answer.data.user.name, trimmed(name));
        assert.equal((await get(platform, '/user/profile', { token: answer.data.access_token })).data.name, trimmed(name));
      } else assertProblem(answer, 422, 'invalid_input');
      const changed = await patch(platform, '/user/profile', { name }, { token });
      assert.ok([200, 422].includes(changed.status), changed.text);
    }
  });
  await t.test('in addresses', async () => {
    for (const email of [`ü${freshEmail()}`, freshEmail().replace('example', 'bücher'), `İ${freshEmail()}`, `👩${freshEmail()}`]) {
      const answer = await post(platform, '/auth/register', { email, password: PASSWORD });
      assert.ok([201, 422].includes(answer.status), answer.text);
      if (answer.status === 201) assert.equal((await post(platform, '/auth/login', { email, password: PASSWORD })).status, 200, `${email} can sign in again`);
    }
    for (const email of [`a\u0000${freshEmail()}`, `a\n${freshEmail()}`, `${freshEmail()}\u0000`]) assertProblem(await post(platform, '/auth/register', { email, password: PASSWORD }), 422, 'invalid_input');
  });
  await t.test('in passwords', async () => {
    for (const text of texts) {
      const [email, password] = [freshEmail(), `${text} and quite some more`];
      const answer = await post(platform, '/auth/register', { email, password });
      assert.ok([201, 422].includes(answer.status), answer.text);
      if (answer.status === 201) {
        assert.equal((await post(platform, '/auth/login', { email, password })).status, 200, JSON.stringify(password));
        assertProblem(await post(platform, '/auth/login', { email, password: `x${password}` }), 401, 'invalid_credentials');
      }
    }
  });
  await t.test('in messages, which reach the provider letter by letter and come back the same way', async () => {
    const writer = await register(platform);
    upstream.answers('echo', ({ seen, json }) => json(200, { id: 'x', object: 'chat.completion', created: 1, model: 'echo', choices: [{ index: 0, message: { role: 'assistant', content: seen.body.messages[0].content }, finish_reason: 'stop' }], usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 } }));
    for (const content of texts) {
      const answer = await chat(platform, writer.access_token, { model: 'openai/echo', content });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.data.choices[0].message.content, content);
      const extract = await chat(platform, writer.access_token, { content: `${content}. What is it?` });
      assert.equal(extract.status, 200, extract.text);
    }
  });
});

test('headers that come twice, too long, or strange', async () => {
  const body = JSON.stringify({ model: 'tollgate/extractive', messages: [{ role: 'user', content: 'Hello there.' }] });
  const auth = ['Authorization', `Bearer ${token}`];
  const json = ['Content-Type', 'application/json'];
  const raw = (headers, more = {}) => rawRequest(platform, { method: 'POST', path: '/v1/chat/completions', body, headers, ...more });
  for (const [name, headers, statuses] of [
    ['two Authorization', [auth, auth, json], [401]],
    ['two Content-Type, the second another', [auth, json, ['Content-Type', 'text/plain']], [415, 200]],
    ['two Idempotency-Key', [auth, json, ['Idempotency-Key', 'a'], ['Idempotency-Key', 'b']], [200, 400]],
    ['a header of 20,000 bytes', [auth, json, ['X-Long', 'x'.repeat(20_000)]], [200, 400, 413, 431]],
    ['100 headers', [auth, json, ...Array.from({ length: 100 }, (_, n) => [`X-${n}`, 'x'])], [200]],
    ['bytes that are no text', [auth, json, ['X-Bytes', Buffer.from([0x80, 0xff])], ['User-Agent', Buffer.from([0xff, 0xfe])]], [200]],
    ['an Accept nobody can serve', [auth, json, ['Accept', 'image/png']], [200]],
    ['another Host', [auth, json, ['Host', 'evil.example']], [200]],
    ['forged hop headers', [auth, json, ['X-Forwarded-For', '1.2.3.4'], ['CF-Connecting-IP', 'x'], ['X-HTTP-Method-Override', 'DELETE']], [200]],
  ]) {
    const answer = await raw(headers);
    assert.ok(statuses.includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
    if (answer.status >= 400 && answer.headers.get('x-request-id')) assertProblem(answer, answer.status);
  }
  // Not HTTP any more: the runtime itself refuses these, and lives.
  for (const headers of [[auth, json, ['X-Nul', Buffer.from('a\0b')]], [auth, json, ['Content-Length', 'x']], [auth, json, ['Content-Length', '-1']], [auth, json, ['Content-Length', '5'], ['Content-Length', '7']]]) {
    const answer = await raw(headers);
    assert.ok(answer.closed || (answer.status >= 400 && !answer.headers.get('x-request-id')), `${answer.status}`);
  }
  assert.equal((await get(platform, '/health')).status, 200);
});

test('a body that breaks off harms nobody', async () => {
  const head = (length) => [['Authorization', `Bearer ${token}`], ['Content-Type', 'application/json'], ['Content-Length', String(length)]];
  const { connect } = await import('node:net');
  for (const path of ['/auth/register', '/v1/chat/completions']) {
    await new Promise((done) => {
      const socket = connect(platform.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', done);
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${head(500).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n{"email":`, () => setTimeout(() => socket.resetAndDestroy(), 50));
    });
  }
  assert.equal((await get(platform, '/health')).status, 200);
  const { requests } = await quota(platform, token);
  assert.equal(requests.reserved, 0);
});

test('addresses: strange, long, with strange queries', async () => {
  const wrong = [];
  for (const path of ['/%', '/%zz', '/user/profile%00', '/user/profile/', '/user/%70rofile%2f', `/${'a'.repeat(8_000)}`, '/user/profile;x=1', '/v1/models/a', '/v1/models/a/b/c/d', '/v1/models/%ff/%fe', '/v1/models/..%2f..%2fx/y', '/../../etc/passwd', '/user/../auth/nothing', '/\\auth/login', '/🚧']) {
    const answer = await rawRequest(platform, { path: path === '/🚧' ? '/%F0%9F%9A%A7' : path, headers: [['Authorization', `Bearer ${token}`]] });
    assert.ok(answer.closed || (answer.status >= 400 && answer.status < 500), `${path}: ${answer.status} ${answer.text}`);
    if (!answer.closed && answer.headers.get('x-request-id') && !/^application\/problem\+json/.test(answer.headers.get('content-type'))) wrong.push(`${path}: ${answer.status} ${answer.headers.get('content-type')} ${answer.text}`);
  }
  assert.deepEqual(wrong, [], 'an error that is no problem+json');
  for (const query of ['', '?', '?x', '?limit', '?limit=', '?limit=1&limit=2', '?limit=99999999999999999999', '?limit=%00', '?limit=1e1', '?cursor=', '?cursor=%ff', `?cursor=${'x'.repeat(5_000)}`, "?cursor=seq_1';--", '?%', '?limit=10&unknown=1']) {
    const answer = await get(platform, `/usage/logs${query}`, { token });
    // What nothing reads is named; what is read and wrong is a bad request.
    if (/\?x|unknown|\?%/.test(query)) assertProblem(answer, 422, 'invalid_input');
    else assert.ok([200, 400].includes(answer.status), `${query}: ${answer.status} ${answer.text}`);
    if (answer.status === 400) assertProblem(answer, 400, 'bad_request');
  }
});

test('HEAD is GET without its body; OPTIONS and other methods are answered', async () => {
  for (const path of ['/health', '/user/profile', '/usage/quota', '/v1/models']) {
    const head = await rawRequest(platform, { method: 'HEAD', path, headers: [['Authorization', `Bearer ${token}`]] });
    assert.equal(head.status, 200, path);
    assert.equal(head.text, '');
  }
  const unauthorized = await rawRequest(platform, { method: 'HEAD', path: '/user/profile' });
  assert.equal(unauthorized.status, 401);
  assert.equal(unauthorized.text, '');
  for (const method of ['TRACE', 'CONNECT', 'PROPFIND', 'PURGE', 'FOO']) {
    const answer = await rawRequest(platform, { method, path: '/auth/login' });
    assert.ok(answer.closed || (answer.status >= 400 && answer.status < 502), `${method}: ${answer.status}`);
  }
  assert.equal((await get(platform, '/health')).status, 200);
});

test('a GET with a body and a POST without one', async () => {
  const odd = await rawRequest(platform, { path: '/user/profile', headers: [['Authorization', `Bearer ${token}`], ['Content-Type', 'application/json']], body: '{"x":1}' });
  assert.equal(odd.status, 200);
  for (const [method, path] of BODIES) {
    const answer = await rawRequest(platform, { method, path, headers: [['Authorization', `Bearer ${token}`], ['Content-Type', 'application/json']] });
    assertProblem(answer, 400, 'bad_request');
  }
});

test('a crowd of bad requests leaves the platform well', async () => {
  const bodies = ['{', '[]', '{"model":1}', '', 'x'.repeat(50_000), '{"model":"openai/x","messages":[{}]}'];
  const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => send('POST', '/v1/chat/completions', bodies[n % bodies.length])));
  for (const { status, text } of answers) assert.ok(status >= 400 && status < 500, `${status} ${text}`);
  const { status, data } = await get(platform, '/health/ready');
  assert.deepEqual([status, data.status], [200, 'ready']);
  assert.equal((await chat(platform, token)).status, 200);
});

test('no panic, no fault, nothing inexplicable in the log', () => {
  platform.assertNoPanic();
  const bad = platform.log.filter((line) => /panicked|RuntimeError|unreachable executed|Uncaught|"level":"error"/.test(line));
  // What the runtime says of the requests above that were no HTTP, before anything of ours saw them.
  const theRuntimesOwn = /kj\/compat\/http\.c\+\+.*Content-Length|Incoming CONNECT on a worker not supported/;
  assert.deepEqual(bad.filter((line) => !theRuntimesOwn.test(line)), []);
});
