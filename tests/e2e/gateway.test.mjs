// The public entry: health, documents, and what every answer carries.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertProblem, call, chat, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform({ env: { OPERATOR_TOKEN: 'op_0123456789abcdef0123456789', STRIPE_WEBHOOK_SECRET: 'whsec_x' } });
const user = await register(platform);

const REQUEST_ID = /^req_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const COMMITTED = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
const skip = existsSync(COMMITTED) ? false : 'docs/openapi.json does not exist yet';

test('/health is 200 as long as the gateway lives', async () => {
  const { status, data, headers } = await get(platform, '/health');
  assert.equal(status, 200);
  assert.equal(data.status, 'ok');
  assert.equal(headers.get('cache-control'), 'no-store');
});

test('/health/ready asks every function and its stores', async () => {
  const { status, data } = await get(platform, '/health/ready');
  assert.equal(status, 200);
  assert.equal(data.status, 'ready');
  const functions = readdirSync(new URL('../../functions/', import.meta.url)).filter((name) => name !== 'gateway');
  assert.deepEqual(data.functions.map(({ name }) => name).sort(), functions.sort());
  assert.ok(data.functions.every(({ ok }) => ok === true));
});

test('every answer has a request id of its own', async () => {
  const answers = await Promise.all([
    get(platform, '/health'),
    get(platform, '/health/ready'),
    get(platform, '/no/such/address'),
    get(platform, '/auth/no-such-address'),
    get(platform, '/user/profile'),
    get(platform, '/user/profile', { token: user.access_token }),
    get(platform, '/auth/.well-known/jwks.json'),
    get(platform, '/v1/models', { token: user.access_token }),
    post(platform, '/auth/login', '{'),
    call(platform, 'OPTIONS', '/auth/login'),
    call(platform, 'DELETE', '/auth/login'),
    chat(platform, user.access_token),
    chat(platform, user.access_token, { stream: true }),
    get(platform, '/openapi.json'),
    get(platform, '/api/docs'),
  ]);
  const without = answers.filter(({ headers }) => !REQUEST_ID.test(headers.get('x-request-id') ?? ''));
  assert.deepEqual(without.map(({ status, headers, text }) => `${status} ${headers.get('content-type')} ${text.slice(0, 40)}`), []);
  assert.equal(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size, answers.length);
});

test('a client cannot choose the request id', async () => {
  const { headers } = await get(platform, '/user/profile', { token: user.access_token, headers: { 'x-request-id': 'req_mine' } });
  assert.match(headers.get('x-request-id'), REQUEST_ID);
});

test('browsers of any origin may call, and read what they need', async (t) => {
  const origin = { origin: 'https://app.example.com' };
  await t.test('preflight', async () => {
    for (const path of ['/auth/login', '/v1/chat/completions', '/user/profile']) {
      const { status, headers, text } = await call(platform, 'OPTIONS', path, {
        headers: { ...origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,idempotency-key,x-stainless-lang' },
      });
      assert.equal(status, 204);
      assert.equal(text, '');
      assert.equal(headers.get('access-control-allow-origin'), '*');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) assert.ok(headers.get('access-control-allow-methods').includes(method), method);
      for (const name of ['authorization', 'content-type', 'idempotency-key', 'x-stainless-lang']) assert.ok(headers.get('access-control-allow-headers').toLowerCase().includes(name), name);
      assert.equal(headers.get('access-control-allow-credentials'), null, 'no cookies, ever');
      assert.ok(Number(headers.get('access-control-max-age')) > 0);
    }
  });
  await t.test('answers and errors', async () => {
    for (const answer of [
      await get(platform, '/user/profile', { token: user.access_token, headers: origin }),
      await get(platform, '/user/profile', { headers: origin }),
      await get(platform, '/no/such/address', { headers: origin }),
      await get(platform, '/health', { headers: origin }),
      await chat(platform, user.access_token, { stream: true, headers: origin }),
    ]) {
      assert.equal(answer.headers.get('access-control-allow-origin'), '*', answer.text.slice(0, 100));
      const exposed = answer.headers.get('access-control-expose-headers').toLowerCase();
      for (const name of ['x-request-id', 'x-tollgate-cost-microusd', 'x-tollgate-requests-remaining', 'x-tollgate-tokens-remaining', 'x-tollgate-trial-ends-at', 'retry-after']) assert.ok(exposed.includes(name), name);
    }
  });
});

test('what does not exist is a 404 problem', async () => {
  for (const path of ['/', '/nothing', '/auth', '/auth/', '/auth/nothing', '/users', '/v1', '/v1/embeddings', '/authx/login', '/AUTH/login', '/auth/login/', '//auth/login', '/meter', '/meter/x', '/__dev', '/__dev/nothing', '/.env', '/wrangler.toml', '/%00']) {
    const answer = await get(platform, path);
    assertProblem(answer, 404, 'not_found');
  }
});

test('what functions tell each other is not told to the world', async () => {
  // The gateway answers these itself; behind its function's segment there is no such address.
  for (const path of ['/auth/health/ready', '/user/health/ready', '/v1/health/ready', '/auth/__dev/cost/req_x', '/v1/__dev/cost/x']) assertProblem(await get(platform, path), 404, 'not_found');
});

test('an address that exists with another method is a 405 problem', async () => {
  for (const [method, path] of [['GET', '/auth/login'], ['DELETE', '/user/profile'], ['PUT', '/v1/chat/completions'], ['POST', '/usage/quota'], ['POST', '/v1/models']]) {
    const answer = await call(platform, method, path, { token: user.access_token });
    assertProblem(answer, 405, 'method_not_allowed');
    assert.ok(answer.headers.get('allow'), `${method} ${path}: Allow is required with 405 (RFC 9110, section 15.5.6)`);
  }
});

test('answers about a person are not kept by anybody on the way', async () => {
  for (const path of ['/user/profile', '/user/trial-status', '/usage/quota', '/usage/logs', '/v1/models']) {
    assert.equal((await get(platform, path, { token: user.access_token })).headers.get('cache-control'), 'no-store', path);
  }
  assert.equal((await chat(platform, user.access_token)).headers.get('cache-control'), 'no-store');
  assert.equal((await get(platform, '/user/profile')).headers.get('cache-control'), 'no-store');
});

test('the OpenAPI document', { skip }, async (t) => {
  const { status, data: document, text } = await get(platform, '/openapi.json');
  assert.equal(status, 200);
  await t.test('is version 3.1 and the committed one', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.deepEqual(document, JSON.parse(readFileSync(COMMITTED, 'utf8')));
    assert.ok(text.length < 500_000);
  });
  await t.test('has what this release answers', () => {
    for (const path of ['/auth/register', '/auth/login', '/auth/refresh', '/auth/logout', '/auth/.well-known/jwks.json', '/user/profile', '/user/trial-status', '/usage/quota', '/usage/logs', '/v1/models', '/v1/chat/completions']) {
      assert.ok(document.paths[path], path);
    }
  });
  await t.test('every operation in it exists, and answers a status it lists', async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const address = path.replaceAll(/\{(\w+)\}/g, (_, name) => (name === 'provider' ? (path.startsWith('/auth/') ? 'google' : 'tollgate') : name === 'model' ? 'extractive' : 'x'));
        const name = `${method.toUpperCase()} ${path}`;
        const withoutToken = await call(platform, method.toUpperCase(), address, { body: method === 'get' ? undefined : '{}', headers: method === 'get' ? {} : { 'content-type': 'application/json' } });
        assert.ok(withoutToken.status !== 404 || !/no such address|address/.test(withoutToken.data?.detail), `${name} does not exist`);
        assert.notEqual(withoutToken.status, 405, name);
        assert.ok(withoutToken.status < 500, `${name} answers ${withoutToken.status}`);
        assert.ok(operation.responses[String(withoutToken.status)], `${name} answers ${withoutToken.status}, which it does not list`);
        if (operation.security?.some((scheme) => 'bearer' in scheme || 'operator' in scheme)) assert.equal(withoutToken.status, 401, `${name} is protected`);
        else if (!operation.responses['401']) assert.notEqual(withoutToken.status, 401, `${name} is public`);
        assert.ok(operation.summary || operation.description, `${name} says what it does`);
      }
    }
  });
});

test('/api/docs is a page that needs no other host', { skip }, async () => {
  const page = await get(platform, '/api/docs');
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  const hosts = [...page.text.matchAll(/(?:src|href|spec-url|url)\s*=\s*["']?((?:https?:)?\/\/[^"'\s>]+)/gi)].map(([, url]) => url);
  assert.deepEqual(hosts, [], 'nothing is loaded from elsewhere');
  const scripts = [...page.text.matchAll(/<script[^>]+src=["']?([^"'\s>]+)/gi)].map(([, src]) => src);
  assert.ok(scripts.length > 0 || /<script/.test(page.text));
  for (const src of scripts) {
    const script = await get(platform, new URL(src, `${platform.url}/api/docs`).pathname);
    assert.equal(script.status, 200, src);
    assert.match(script.headers.get('content-type'), /javascript/);
  }
  assert.match(page.text, /openapi\.json/);
});

test('nothing panicked', () => platform.assertNoPanic());
