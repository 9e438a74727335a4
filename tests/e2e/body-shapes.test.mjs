// Bodies that are JSON, but of another shape than a call takes: the problem says what it must be, in words that a client knows. The calls
// are those of the OpenAPI document, so a new one that takes a body has to be entered here.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { assertProblem, call, freshEmail, PASSWORD, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const platform = await withPlatform({ env: { ...upstream.env, OPERATOR_TOKEN } });
upstream.answers('claude-x', ({ json }) => json(200, anthropic.message([{ type: 'text', text: 'Yes.' }])));
upstream.answers('gemini-x', ({ json }) => json(200, gemini.response([[{ text: 'Yes.' }]])));

let user;
before(async () => (user = await register(platform)));

/** Every call that takes a body, with a sound one; for `/v1` the form is OpenAI's. */
const ROUTES = {
  'POST /auth/register': () => ({ email: freshEmail(), password: PASSWORD, name: 'Ada', product: 'agent' }),
  'POST /auth/login': () => ({ email: user.email, password: user.password, totp: '123456' }),
  'POST /auth/password': () => ({ current_password: 'a wrong and long password', new_password: PASSWORD }),
  'POST /auth/totp/enroll': () => ({ password: 'a wrong and long password' }),
  'POST /auth/totp/confirm': () => ({ code: '123456' }),
  'POST /auth/totp/disable': () => ({ code: '123456' }),
  'POST /auth/totp/recovery-codes': () => ({ code: '123456' }),
  'POST /auth/refresh': () => ({ refresh_token: 'tgr_x' }),
  'POST /auth/logout': () => ({ refresh_token: 'tgr_x' }),
  'POST /auth/verify-email': () => ({ token: 'tgm_x' }),
  'POST /auth/forgot-password': () => ({ email: freshEmail() }),
  'POST /auth/reset-password': () => ({ token: 'tgm_x', password: PASSWORD }),
  'POST /auth/oauth/token': () => ({ code: 'tgc_x' }),
  'PUT /team/sso': () => ({ issuer: 'https://login.example.com', client_id: 'x', client_secret: 'x' }),
  'POST /team/sso/domains': () => ({ domain: 'example.com' }),
  'PATCH /user/profile': () => ({ name: 'Ada' }),
  'DELETE /user': () => ({ password: 'not the right one at all' }),
  'PUT /user/config': () => ({ theme: 'dark' }),
  'PUT /user/notifications': () => ({ reminders: true, quota_warnings: true, summary: true }),
  'POST /admin/mails/replay': () => ({ tenant_id: 'ten_01890a5d-ac96-774b-bcce-b302099a8057', event: 'x' }),
  'POST /user/api-keys': () => ({ name: 'mine', scopes: ['chat'] }),
  'POST /user/api-keys/{id}/rotate': () => ({ overlap_seconds: 60 }),
  'PATCH /team': () => ({ name: 'Ada' }),
  'PATCH /team/members/{user_id}': () => ({ role: 'owner' }),
  'POST /team/invites': () => ({ email: freshEmail(), role: 'member' }),
  'POST /team/invites/accept': () => ({ token: 'tgi_x' }),
  'PATCH /subscription': () => ({ product: 'agent', plan: 'pro', interval: 'month', seats: 1 }),
  'POST /subscription/checkout': () => ({ product: 'agent', plan: 'pro', interval: 'month', seats: 1 }),
  'POST /user/upgrade-subscription': () => ({ product: 'agent', plan: 'pro', interval: 'month', seats: 1 }),
  'POST /subscription/portal': () => ({ return_url: '/' }),
  'POST /v1/chat/completions': () => ({
    model: 'openai/gpt-x', max_tokens: 10, max_completion_tokens: 10, temperature: 1, top_p: 1, n: 1, stop: ['END'], stream: false, stream_options: { include_usage: true },
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hello.' }, { type: 'image_url', image_url: { url: 'https://images.example.com/gate.png', detail: 'low' } }] },
      { role: 'assistant', content: 'x', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: 'dry' },
    ],
    tools: [{ type: 'function', function: { name: 'weather', description: 'x', parameters: { type: 'object' } } }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } },
  }),
};
/** What is said of a field of another type, and of which type it is; a string where nothing stands here. */
const BOOLEAN = ['must be a boolean', (it) => typeof it === 'boolean'];
const OTHER_TYPES = { reminders: BOOLEAN, quota_warnings: BOOLEAN, summary: BOOLEAN, scopes: ['must be an array', Array.isArray], overlap_seconds: ['must be an integer in its range, not below 0', Number.isInteger], seats: ['must be an integer in its range, not below 0', Number.isInteger] };
const said = (field) => OTHER_TYPES[field]?.[0] ?? 'must be a string';
const fits = (field, value) => (OTHER_TYPES[field]?.[1] ?? ((it) => typeof it === 'string'))(value);
/** Settings are of the client's own making: any value stands there. */
const FREE = ['PUT /user/config'];
const OURS = Object.keys(ROUTES).filter((route) => !route.includes('/v1/'));
const send = (route, body) => {
  const [method, path] = route.split(' ');
  return call(platform, method, path.replace('{user_id}', user.user.id).replace('{id}', 'key_x'), { token: path.startsWith('/admin/') ? OPERATOR_TOKEN : user.access_token, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json' } });
};

/** What a client must not have to know: how the inside is written. */
function assertPlainWords(answer, what) {
  const { detail, errors = [], error } = answer.data;
  for (const text of [detail, ...errors.map(({ message }) => message), ...(error ? [error.message] : [])]) {
    assert.doesNotMatch(text, /\b(struct|enum|tuple|variant|newtype|unit|map|sequence|[ui](8|16|32|64|128|size)|f(32|64)|bool|char|str|String|Option|Vec|Value|serde\w*)\b|::|`/, what);
    assert.doesNotMatch(text.replaceAll('OpenAI', ''), /\b[A-Z][a-z]+[A-Z]\w*|\binvalid type\b|\bexpected\b|\bat line\b/, what);
  }
}

test('the table has every call that takes a body', () => {
  const { paths } = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));
  const documented = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, { requestBody }]) => requestBody).map(([method]) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(documented.sort(), Object.keys(ROUTES).sort());
});

const NO_OBJECTS = { null: 'null', true: 'true', 'a number': '7', 'a broken number': '-1.5e3', 'a large number': String(2 ** 70), 'a text': '"text"', 'an empty text': '""', 'an empty list': '[]', 'a list after white space': ' \r\n\t[]', 'a list of lists': '[[],[[]]]', 'a list of an empty object': '[{}]' };

for (const route of OURS) {
  test(`${route}: a body that is no object is 422 and is told to be one`, async () => {
    const sound = ROUTES[route]();
    // Right values without their names, and the right object in a list: neither is guessed at.
    const bodies = { ...NO_OBJECTS, 'its values in a list': JSON.stringify(Object.values(sound)), 'itself in a list': JSON.stringify([sound]), 'itself as a text': JSON.stringify(JSON.stringify(sound)) };
    for (const [what, body] of Object.entries(bodies)) {
      const problem = assertProblem(await send(route, body), 422, 'invalid_input');
      assert.deepEqual([problem.errors, problem.detail], [[{ field: 'body', message: 'must be an object' }], 'body must be an object'], what);
    }
  });

  test(`${route}: a list that is not JSON is still 400`, async () => {
    for (const body of ['[', ']', '[1,]', '[1}', '[] x', '[][]', '["', '[\u0001]']) assertProblem(await send(route, body), 400, 'bad_request');
  });
}

test('POST /v1/chat/completions: a body that is no object is refused in plain words, whole or in OpenAI\'s form', async () => {
  for (const [what, body] of Object.entries(NO_OBJECTS)) {
    const answer = await send('POST /v1/chat/completions', body);
    assert.ok([400, 422].includes(answer.status), `${what}: ${answer.status} ${answer.text}`);
    const problem = assertProblem(answer, answer.status);
    assert.match(problem.detail, /object/, what);
    assert.equal(problem.error.type, 'invalid_request_error');
    assertPlainWords(answer, what);
  }
});

const WRONG = [null, true, false, 0, 7, -1, 1.5, 2 ** 31, 2 ** 53, 2 ** 70, -(2 ** 70), 1e300, '', 'words', [], [[]], ['x'], [7], [null], {}, { x: 1 }, { type: 7 }];

for (const route of OURS.filter((route) => !FREE.includes(route))) {
  test(`${route}: a value of another type is named by its field, in plain words`, async () => {
    for (const field of Object.keys(ROUTES[route]())) {
      for (const value of WRONG.filter((value) => !fits(field, value) && value !== null)) {
        const what = `${field} = ${JSON.stringify(value)}`;
        const answer = await send(route, { ...ROUTES[route](), [field]: value });
        const problem = assertProblem(answer, 422, 'invalid_input');
        assert.deepEqual(problem.errors, [{ field, message: said(field) }], what);
        assertPlainWords(answer, what);
      }
    }
  });

  test(`${route}: a field that comes twice, once as it must be and once not, is named`, async () => {
    const sound = JSON.stringify(ROUTES[route]());
    for (const field of Object.keys(JSON.parse(sound))) {
      const problem = assertProblem(await send(route, `${sound.slice(0, -1)},${JSON.stringify(field)}:"x"}`), 422, 'invalid_input');
      assert.deepEqual(problem.errors, [{ field, message: 'is given twice' }]);
      // As it comes it is read: what is wrong first is said.
      const answer = await send(route, `{${JSON.stringify(field)}:${fits(field, true) ? 7 : true},${sound.slice(1)}`);
      assert.deepEqual(assertProblem(answer, 422, 'invalid_input').errors, [{ field, message: said(field) }]);
    }
  });
}

test('PATCH /user/profile: a field that does not exist is named as it was sent, and nothing of ours beside it', async () => {
  for (const field of ['email', 'Name', 'name ', 'a.b', 'struct User', '', 'ümlaut']) {
    const problem = assertProblem(await send('PATCH /user/profile', { [field]: 'x' }), 422, 'invalid_input');
    assert.deepEqual(problem.errors, [{ field, message: 'is not known' }]);
  }
});

/** The places inside a value, the value itself not among them: `['messages', 0, 'role']`. */
function* places(value, at = []) {
  for (const [key, inner] of Object.entries(value ?? {})) {
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    yield place;
    if (typeof inner === 'object') yield* places(inner, place);
  }
}
const nameOf = (place) => place.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('').slice(1);
const put = (target, [key, ...rest], value) => (rest.length === 0 ? (target[key] = value) : put(target[key], rest, value));

for (const model of ['openai/gpt-x', 'anthropic/claude-x', 'gemini/gemini-x', 'tollgate/extractive']) {
  test(`POST /v1/chat/completions, ${model}: whatever is of another type, anywhere, is told in plain words or taken`, async () => {
    const route = 'POST /v1/chat/completions';
    const refused = new Set();
    // What extractive refuses by name whatever it says is not looked at there.
    const cannot = model === 'tollgate/extractive' ? ['tools', 'tool_choice', 'response_format', 'logprobs', 'top_logprobs'] : [];
    const sound = () => Object.fromEntries(Object.entries(ROUTES[route]()).filter(([name]) => !cannot.includes(name)));
    for (const place of places(sound())) {
      // A few requests are taken (the value is one of those that may stand there): each place has a user of its own, so that no plan runs out.
      const { access_token: token } = await register(platform);
      for (const value of WRONG) {
        const body = { ...sound(), model };
        put(body, place, value);
        const what = `${nameOf(place)} = ${JSON.stringify(value)}`;
        const answer = await post(platform, '/v1/chat/completions', body, { token });
        if (answer.status === 200) continue;
        const problem = assertProblem(answer, answer.status);
        // A name that no model has is of the right type.
        if (problem.code === 'model_not_found') continue;
        assert.equal(problem.code, 'invalid_input', `${what}: ${answer.text}`);
        assertPlainWords(answer, what);
        refused.add(nameOf(place));
        const [{ field }] = problem.errors;
        // The place itself, or what is missing or wrong inside the value that was put there; a call that is gone is missed by its result.
        const missed = nameOf(place).startsWith('messages[1]') && field === 'messages[2].tool_call_id';
        // What is gone is missed where it is meant: a choice among tools, an answer to a question.
        const follows = [['tools', 'tool_choice'], ['messages[0]', 'messages[1]']].some(([gone, misses]) => nameOf(place).startsWith(gone) && field.startsWith(misses));
        const related = missed || follows || field.startsWith(nameOf(place)) || nameOf(place).startsWith(field);
        assert.ok(related, `${what} is said to be wrong at ${field}: ${problem.detail}`);
      }
    }
    for (const name of ['model', 'messages', 'messages[0].role', 'messages[1].tool_calls[0].function.name', 'tools[0].function.parameters', 'n', 'stop', 'stream', 'temperature'].filter((name) => !cannot.includes(name.split('[')[0]))) {
      assert.ok(refused.has(name), `${name} has been refused at least once: ${[...refused].join()}`);
    }
  });
}

test('nothing of what was refused did anything', async () => {
  const { requests, tokens } = await settledQuota(platform, user.access_token);
  assert.deepEqual([requests.used, tokens.used], [0, 0]);
  assert.equal((await call(platform, 'GET', '/user/profile', { token: user.access_token })).status, 200, 'the session stands');
});

test('no panic, and no fault in the log', () => {
  platform.assertNoPanic();
  assert.deepEqual(platform.log.filter((line) => /"level":"error"/.test(line)), []);
});
