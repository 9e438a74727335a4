// Query parameters that nothing reads: a filter with a slip in its name would answer everything as if it had filtered. The calls are
// those of the OpenAPI document.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { assertProblem, bearer, get, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const platform = await withPlatform({ env: { OPERATOR_TOKEN } });
const { paths } = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));

/** Addresses that other programs build on: providers add parameters to a callback, mail programs and campaigns to a link. */
const OPEN = ['/auth/oauth/{provider}/start', '/auth/oauth/{provider}/callback', '/auth/sso/start', '/auth/sso/callback', '/user/notifications/unsubscribe'];
/** Lists that take no parameters. */
const BARE_LISTS = ['/auth/identities', '/auth/sessions', '/v1/models'];

let user;
before(async () => (user = await register(platform)));

/** @type {{path: string, known: string[]}[]} */
const lists = Object.entries(paths)
  .map(([path, { get: operation }]) => ({ path, known: (operation?.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name) }))
  .filter(({ path, known }) => !OPEN.includes(path) && (known.length > 0 || BARE_LISTS.includes(path)));

const ask = (path, query) => {
  const at = path.replace('{month}', '2026-01');
  return get(platform, `${at}?${query}`, path.startsWith('/admin/') && path !== '/admin/users' ? { headers: bearer(OPERATOR_TOKEN) } : { token: user.access_token });
};

const assertUnknown = (answer, path, name) => {
  const what = `${path} with ${name}: ${answer.status} ${answer.text.slice(0, 200)}`;
  assert.equal(answer.status, 422, what);
  if (path.startsWith('/v1/')) return assert.deepEqual([answer.data.error.type, answer.data.error.param], ['invalid_request_error', name], what);
  assert.deepEqual(assertProblem(answer, 422, 'invalid_input').errors.map(({ field }) => field), [name], what);
};

test('a parameter that nothing reads is 422 in every list, by its name', async () => {
  assert.ok(lists.length >= 22, `${lists.length} lists`);
  for (const { path, known } of lists) {
    for (const name of ['nothing_reads_this', 'Limit', 'limit[]', ...known.map((name) => `${name}s`)].filter((name) => !known.includes(name))) {
      assertUnknown(await ask(path, `${encodeURIComponent(name)}=1`), path, name);
    }
    // One that is known beside it makes no difference, and of two the first is named.
    const [one] = known;
    if (one) assertUnknown(await ask(path, `${one}=&unknown=1&another=2`).then((answer) => (answer.status === 400 ? ask(path, 'unknown=1&another=2') : answer)), path, 'unknown');
  }
});

test('every parameter of the document is read', async () => {
  for (const { path, known } of lists) {
    for (const name of known) {
      const answer = await ask(path, `${name}=1`);
      assert.notEqual(answer.status, 422, `${path} with ${name}: ${answer.text.slice(0, 200)}`);
      // Without Stripe there are no invoices; the parameter was read before.
      assert.ok(answer.status < 500 || answer.data.code === 'billing_not_configured', `${path} with ${name}: ${answer.text.slice(0, 200)}`);
    }
  }
});

test('links that others build on go on with what they add', async () => {
  const added = 'utm_source=mail&session_state=1&scope=email&authuser=0&iss=https%3A%2F%2Faccounts.example.com';
  for (const path of OPEN) {
    const answer = await get(platform, `${path.replace('{provider}', 'google')}?${added}`);
    assert.notEqual(answer.status, 422, `${path}: ${answer.text.slice(0, 200)}`);
    assert.ok(answer.status < 500, `${path}: ${answer.text.slice(0, 200)}`);
  }
});

test('whoever may not read a list is told so, and nothing of its parameters', async () => {
  assertProblem(await get(platform, '/usage/logs?unknown=1'), 401, 'unauthorized');
});

test('nothing panicked', () => platform.assertNoPanic());
