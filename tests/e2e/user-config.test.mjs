// Settings of a user: what is put is read, within limits; of two writers who saw the same version one is told to read again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, call, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
const put = (token, body, headers) => call(platform, 'PUT', '/user/config', { token, body, headers });

test('what is put is read; before that it is empty, and what is left out is gone', async () => {
  const { access_token: token } = await register(platform);
  const empty = await get(platform, '/user/config', { token });
  assert.deepEqual([empty.status, empty.data, empty.headers.get('etag')], [200, {}, '"0"']);
  const settings = { theme: 'dark', 'editor.tabs': 4, nested: { list: [1, null, 'ü'], deep: { yes: true } } };
  const first = await put(token, settings);
  assert.deepEqual([first.status, first.data, first.headers.get('etag')], [200, settings, '"1"']);
  assert.deepEqual((await get(platform, '/user/config', { token })).data, settings);
  assert.deepEqual((await put(token, { theme: 'light' })).headers.get('etag'), '"2"');
  const last = await get(platform, '/user/config', { token });
  assert.deepEqual([last.data, last.headers.get('etag')], [{ theme: 'light' }, '"2"']);
});

test('of many writers who saw the same version one writes, and the others are told', async () => {
  const { access_token: token } = await register(platform);
  const created = await Promise.all(Array.from({ length: 8 }, (_, n) => put(token, { n }, { 'if-none-match': '*' })));
  assert.deepEqual(created.map(({ status }) => status).sort(), [200, ...Array(7).fill(412)]);
  for (let round = 1; round <= 5; round++) {
    const etag = (await get(platform, '/user/config', { token })).headers.get('etag');
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => put(token, { round, n }, { 'if-match': etag })));
    const won = answers.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    for (const lost of answers.filter(({ status }) => status !== 200)) assertProblem(lost, 412, 'precondition_failed');
    assert.deepEqual((await get(platform, '/user/config', { token })).data, won[0].data);
  }
  assert.equal((await put(token, {}, { 'if-match': '*' })).status, 200);
  assertProblem(await put(token, {}, { 'if-match': '"somebody-else-s"' }), 412, 'precondition_failed');
  // A weak tag is one: a proxy that compresses answers makes it so, and it names the same version.
  assertProblem(await put(token, {}, { 'if-match': 'W/"somebody-else-s"' }), 412, 'precondition_failed');
  const tag = (await get(platform, '/user/config', { token })).headers.get('etag');
  assert.equal((await put(token, {}, { 'if-match': `W/${tag}` })).status, 200);
  for (const header of [{ 'if-match': '3' }, { 'if-none-match': '"1"' }]) assertProblem(await put(token, {}, header), 400, 'bad_request');
});

test('limits: names, number and size', async () => {
  const { access_token: token } = await register(platform);
  const many = (count) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
  assert.equal((await put(token, many(64))).status, 200);
  assertProblem(await put(token, many(65)), 422, 'invalid_input');
  assert.equal((await put(token, { k: 'x'.repeat(16 * 1024 - 8) })).status, 200);
  assertProblem(await put(token, { k: 'x'.repeat(16 * 1024 - 7) }), 422, 'invalid_input');
  for (const name of ['', '1a', 'a b', 'ä', '.a', 'a'.repeat(65)]) {
    const problem = assertProblem(await put(token, { [name]: 1 }), 422, 'invalid_input');
    assert.equal(problem.errors[0].field, name.slice(0, 64));
  }
  // Names that mean something to JavaScript are names.
  assert.deepEqual((await put(token, '{"constructor":1,"toString":{"valueOf":2}}', { 'content-type': 'application/json' })).text, '{"constructor":1,"toString":{"valueOf":2}}');
});

test('everybody has settings of their own, a key needs the scope, and an ended session changes nothing', async () => {
  const [ada, bob] = [await register(platform), await register(platform)];
  await put(ada.access_token, { who: 'ada' });
  await put(bob.access_token, { who: 'bob' });
  assert.deepEqual((await get(platform, '/user/config', { token: ada.access_token })).data, { who: 'ada' });
  const key = async (scopes) => (await post(platform, '/user/api-keys', { name: 'k', scopes }, { token: ada.access_token })).data.secret;
  const [reader, writer, stranger] = [await key(['account:read']), await key(['account']), await key(['chat'])];
  assert.deepEqual((await get(platform, '/user/config', { token: reader })).data, { who: 'ada' });
  assertProblem(await put(reader, { who: 'x' }), 403, 'forbidden');
  assertProblem(await get(platform, '/user/config', { token: stranger }), 403, 'forbidden');
  assert.equal((await put(writer, { who: 'program' })).status, 200);
  await post(platform, '/auth/logout', { refresh_token: ada.refresh_token });
  assertProblem(await put(ada.access_token, { who: 'ghost' }), 401, 'session_revoked');
  assert.deepEqual((await get(platform, '/user/config', { token: writer })).data, { who: 'program' });
});

test('no panic', () => platform.assertNoPanic());
