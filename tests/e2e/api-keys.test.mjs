// API keys: what they open, what they do not, and how soon a revoked one is dead. With OpenAI's own client where it is about chat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI, { AuthenticationError, PermissionDeniedError, RateLimitError } from 'openai';
import { withChecksum } from '../harness/attack.mjs';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, chat, del, get, post, register } from '../harness/http.mjs';
import { subscribe, withMeters } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logOf, logs, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));
upstream.answers('stream', ({ stream }) => stream([openai.text('At the gate.'), openai.finish(), openai.usage(10, 5), openai.done()]));
const platform = await withPlatform({ env: upstream.env });

const messages = [{ role: 'user', content: 'Where is the toll paid?' }];
const sdk = (apiKey, base = platform) => new OpenAI({ apiKey, baseURL: `${base.url}/v1`, maxRetries: 0 });
const ask = (key, more) => chat(platform, key, { model: 'openai/small', max_tokens: 20, ...more });

async function make(user, input = {}, base = platform) {
  const answer = await post(base, '/user/api-keys', { name: 'a key', scopes: ['chat'], ...input }, { token: user.access_token });
  assert.equal(answer.status, 201, answer.text);
  return answer.data;
}
const rotate = (user, id, body = {}) => post(platform, `/user/api-keys/${id}/rotate`, body, { token: user.access_token });
const revoke = (user, id) => del(platform, `/user/api-keys/${id}`, { token: user.access_token });
const list = async (user) => {
  const answer = await get(platform, '/user/api-keys', { token: user.access_token });
  assert.equal(answer.status, 200, answer.text);
  return answer.data.data;
};
const costOf = async (answer) => {
  const { meter_rows_read: _read, meter_rows_written: _written, ...cost } = (await get(platform, `/__dev/cost/${answer.headers.get('x-request-id')}`)).data;
  return cost;
};
const NOTHING = { durable_object_calls: 0, d1_statements: 0, d1_rows_read: 0, d1_rows_written: 0, kv_reads: 0, kv_writes: 0, fetches: 0 };

test('a key is the OpenAI client\'s key: whole answers and streams, models and usage', async () => {
  const user = await register(platform);
  const { secret, ...key } = await make(user, { name: 'for the client', scopes: ['chat', 'usage:read'] });
  assert.match(secret, /^tg_live_[0-9A-Za-z]{116}$/);
  const client = sdk(secret);
  const whole = await client.chat.completions.create({ model: 'openai/small', messages });
  assert.equal(whole.choices[0].message.content, 'At the gate.');
  let text = '';
  for await (const chunk of await client.chat.completions.create({ model: 'openai/stream', messages, stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(text, 'At the gate.');
  assert.ok((await client.models.list()).data.some(({ id }) => id === 'tollgate/extractive'));

  const meters = await settledQuota(platform, secret);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [2, 30], 'the user pays, and the key may read it');
  const rows = await logs(platform, secret);
  assert.deepEqual(rows.map((row) => row.api_key_id), [key.id, key.id], 'the log says which key');
  const signedIn = await ask(user.access_token);
  assert.equal((await logOf(platform, user.access_token, signedIn.headers.get('x-request-id'))).api_key_id, null);

  const [listed] = await list(user);
  assert.deepEqual([listed.id, listed.name, listed.scopes, listed.product], [key.id, 'for the client', ['chat', 'usage:read'], 'agent']);
  assert.equal(listed.prefix + listed.last_four, 'tg_live_' + secret.slice(-4));
  await eventually('the last use is there', async () => (await list(user))[0].last_used_at !== null, 15_000);
  // What the analytics copy says, once the meter has no row of its own to say it.
  await eventually('the copy in D1 has the keys', async () => {
    const csv = await get(platform, '/usage/export', { token: secret });
    return csv.text.split('\r\n').filter((line) => line.endsWith(`,${key.id}`)).length === 2;
  }, 15_000);
});

test('the secret is told once: not in a list, an audit entry, a database, a meter or a log', async (t) => {
  const own = await withPlatform({ env: upstream.env, test: t });
  const user = await register(own);
  const { secret } = await make(user, {}, own);
  assert.equal((await chat(own, secret)).status, 200);
  const listed = await get(own, '/user/api-keys', { token: user.access_token });
  assert.ok(!listed.text.includes(secret) && !/"hash"/.test(listed.text));
  let searched = 0;
  await own.restart({
    whileStopped: () => {
      const search = (database) => {
        for (const { name } of database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
          const statement = database.prepare(`SELECT * FROM "${name}"`);
          statement.setReadBigInts(true);
          const rows = JSON.stringify(statement.all(), (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : typeof value === 'bigint' ? String(value) : value));
          searched += rows.length;
          assert.ok(!rows.includes(secret.slice(75, 118)), `the secret is in ${name}`);
        }
      };
      withDatabase(own.stateDir, search);
      withMeters(own.stateDir, search);
    },
  });
  assert.ok(searched > 1_000);
  assert.ok(!own.log.join('\n').includes(secret.slice(75, 118)));
  assert.equal((await chat(own, secret)).status, 200, 'a restart forgets no key');
  own.assertNoPanic();
});

// What each address needs, and what opens it.
const SCOPES = [
  ['POST', '/v1/chat/completions', 'chat', { model: 'tollgate/extractive', messages }],
  ['GET', '/v1/models', 'chat:read'],
  ['GET', '/v1/models/tollgate/extractive', 'chat:read'],
  ['GET', '/usage/quota', 'usage:read'],
  ['GET', '/usage/quota?fresh=true', 'usage:read'],
  ['GET', '/usage/summary', 'usage:read'],
  ['GET', '/usage/logs', 'usage:read'],
  ['GET', '/usage/export', 'usage:read'],
  ['GET', '/usage/ledger/verify', 'usage:read'],
  ['GET', '/user/profile', 'account:read'],
  ['PATCH', '/user/profile', 'account', { name: 'Ada' }],
  ['GET', '/user/api-keys', 'account:read'],
  ['GET', '/user/trial-status', 'billing:read'],
  ['GET', '/team', 'team:read'],
  ['GET', '/team/members', 'team:read'],
  ['GET', '/team/invites', 'team:read'],
];
const PARTS = ['chat', 'conversations', 'usage', 'agent', 'tasks', 'gmail', 'workflows', 'team', 'billing', 'account'];
const ALL_SCOPES = PARTS.flatMap((part) => [part, `${part}:read`]);

test('a key opens what its scopes name, and nothing else', async (t) => {
  const user = await register(platform);
  let tried = 0;
  for (const scope of ALL_SCOPES) {
    const { secret } = await make(user, { name: scope, scopes: [scope] });
    for (const [method, path, needed, body] of SCOPES) {
      const answer = await call(platform, method, path, { token: secret, body });
      tried += 1;
      if (scope === needed || `${scope}:read` === needed) {
        assert.equal(answer.status, 200, `${scope}: ${method} ${path}: ${answer.text}`);
      } else {
        const problem = assertProblem(answer, 403, 'forbidden');
        assert.ok(problem.detail.includes(`"${needed}"`), `${scope}: ${method} ${path} names what is missing: ${problem.detail}`);
      }
    }
  }
  t.diagnostic(`${tried} combinations of scope and address`);
  const { secret } = await make(user, { name: 'reads', scopes: ['usage:read'] });
  await assert.rejects(sdk(secret).chat.completions.create({ model: 'openai/small', messages }), (error) => error instanceof PermissionDeniedError && /"chat"/.test(error.message));
});

test('only who signed in makes, rotates and revokes keys', async () => {
  const user = await register(platform);
  const { id, secret } = await make(user, { scopes: PARTS });
  for (const answer of [
    await post(platform, '/user/api-keys', { name: 'more', scopes: ['chat'] }, { token: secret }),
    await post(platform, `/user/api-keys/${id}/rotate`, {}, { token: secret }),
    await del(platform, `/user/api-keys/${id}`, { token: secret }),
  ]) {
    assertProblem(answer, 403, 'forbidden');
  }
  assert.equal((await list(user)).length, 1);
  const ended = await register(platform);
  const theirs = await make(ended);
  await post(platform, '/auth/logout', { refresh_token: ended.refresh_token });
  for (const answer of [
    await get(platform, '/user/api-keys', { token: ended.access_token }),
    await post(platform, '/user/api-keys', { name: 'late', scopes: ['chat'] }, { token: ended.access_token }),
    await rotate(ended, theirs.id),
    await revoke(ended, theirs.id),
  ]) {
    assertProblem(answer, 401, 'session_revoked');
  }
  assert.equal((await ask(theirs.secret)).status, 200, 'a key outlives the session it was made in');
});

test('a revoked key is dead with the very next request, everywhere', async () => {
  const user = await register(platform);
  const { id, secret } = await make(user, { scopes: ['chat', 'usage:read'] });
  assert.equal((await ask(secret)).status, 200);
  assert.equal((await get(platform, '/usage/quota', { token: secret })).status, 200);
  const replayed = { headers: { 'idempotency-key': 'before' } };
  assert.equal((await ask(secret, replayed)).status, 200);
  assert.equal((await revoke(user, id)).status, 204);
  assertProblem(await ask(secret), 401, 'unauthorized');
  assertProblem(await ask(secret, replayed), 401, 'unauthorized');
  assertProblem(await get(platform, '/usage/quota', { token: secret }), 401, 'unauthorized');
  await assert.rejects(sdk(secret).models.list(), AuthenticationError);
  assert.equal((await revoke(user, id)).status, 204, 'again is the same');
  assert.deepEqual(await list(user), []);
  assertProblem(await rotate(user, id), 404, 'not_found');
  await platform.restart();
  assertProblem(await ask(secret), 401, 'unauthorized');
});

test('a key is revoked while it is busy: nothing that begins afterwards is admitted', async () => {
  const user = await register(platform);
  const { id, secret } = await make(user);
  let stop = false;
  const begun = [];
  const workers = Array.from({ length: 8 }, async () => {
    while (!stop) {
      const at = performance.now();
      const { status } = await chat(platform, secret, { max_tokens: 1 });
      begun.push({ at, status });
    }
  });
  await sleep(300);
  assert.equal((await revoke(user, id)).status, 204);
  const dead = performance.now();
  await sleep(300);
  stop = true;
  await Promise.all(workers);
  const [before, after] = [begun.filter(({ at }) => at < dead), begun.filter(({ at }) => at >= dead)];
  assert.ok(before.some(({ status }) => status === 200) && after.length > 8, `${before.length} before, ${after.length} after`);
  assert.ok(after.every(({ status }) => status === 401), JSON.stringify(after.filter(({ status }) => status !== 401)));
});

test('both keys are good during the overlap, and of two rotations at once one wins', async () => {
  const user = await register(platform);
  const old = await make(user, { name: 'rotated', requests_per_minute: 600, expires_at: '2030-01-01T00:00:00Z' });
  const answer = await rotate(user, old.id, { overlap_seconds: 3 });
  assert.equal(answer.status, 201, answer.text);
  const { secret, ...fresh } = answer.data;
  assert.notEqual(fresh.id, old.id);
  assert.deepEqual([fresh.name, fresh.scopes, fresh.requests_per_minute, fresh.expires_at], ['rotated', ['chat'], 600, '2030-01-01T00:00:00Z'], 'the same rights');
  assert.deepEqual([(await ask(old.secret)).status, (await ask(secret)).status], [200, 200]);
  assertProblem(await rotate(user, old.id), 409, 'conflict');
  assert.equal((await list(user)).find(({ id }) => id === old.id).replaced_by, fresh.id);
  await sleep(3_100);
  assertProblem(await ask(old.secret), 401, 'unauthorized');
  assert.equal((await ask(secret)).status, 200);

  const both = await Promise.all([rotate(user, fresh.id, { overlap_seconds: 0 }), rotate(user, fresh.id, { overlap_seconds: 0 })]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 409]);
  assertProblem(await ask(secret), 401, 'unauthorized');
  assert.equal((await ask(both.find(({ status }) => status === 201).data.secret)).status, 200);
  for (const overlap_seconds of [-1, 604_801, 'long']) assertProblem(await rotate(user, fresh.id, { overlap_seconds }), 422, 'invalid_input');
});

test('what is mistyped is said to be, without a look', async () => {
  const user = await register(platform);
  const { secret } = await make(user);
  const other = (character) => (character === 'a' ? 'b' : 'a');
  for (const at of [8, 9, 31, 53, 75, 100, 117, 118, 123]) {
    const typo = secret.slice(0, at) + other(secret[at]) + secret.slice(at + 1);
    for (const answer of [await ask(typo), await get(platform, '/v1/models', { token: typo })]) {
      const problem = assertProblem(answer, 401, 'unauthorized');
      assert.match(problem.detail, /mistyped/);
      assert.deepEqual(await costOf(answer), NOTHING);
    }
  }
  for (const part of [secret.slice(0, -1), `${secret}0`, 'tg_live_', secret.replace('tg_live_', 'tg_live_-')]) {
    assert.match(assertProblem(await ask(part), 401, 'unauthorized').detail, /not a whole one/);
  }
  assert.equal((await ask(secret)).status, 200);
});

test('a key with a checksum that fits and a secret or id that does not opens nothing', async () => {
  const [user, victim] = [await register(platform), await register(platform)];
  const [mine, theirs] = [await make(user), await make(victim)];
  const forged = {
    'another secret': withChecksum(theirs.secret.slice(0, 75) + mine.secret.slice(75, 118)),
    'the victim\'s tenant and user with my key': withChecksum(theirs.secret.slice(0, 53) + mine.secret.slice(53, 118)),
    'my tenant with the victim\'s key': withChecksum(mine.secret.slice(0, 53) + theirs.secret.slice(53, 118)),
    'the victim\'s tenant alone': withChecksum(mine.secret.slice(0, 9) + theirs.secret.slice(9, 31) + mine.secret.slice(31, 118)),
    'the victim\'s user alone': withChecksum(mine.secret.slice(0, 31) + theirs.secret.slice(31, 53) + mine.secret.slice(53, 118)),
    'another product': withChecksum(`tg_live_c${mine.secret.slice(9, 118)}`),
    'nobody at all': withChecksum('tg_live_a' + '0123456789abcdefABCDEF'.repeat(3) + '0'.repeat(43)),
  };
  for (const [name, key] of Object.entries(forged)) {
    for (const [method, path, , body] of SCOPES) {
      const answer = await call(platform, method, path, { token: key, body });
      assert.equal(answer.status, 401, `${name}: ${method} ${path}: ${answer.text}`);
      assertProblem(answer, 401, 'unauthorized');
    }
  }
  const { requests } = await settledQuota(platform, victim.access_token);
  assert.equal(requests.used, 0, 'nobody pays for it');
  // Look-alikes: somebody else's keys are not there.
  for (const answer of [await revoke(user, theirs.id), await rotate(user, theirs.id), await revoke(user, 'key_1'), await revoke(user, 'key_01a1fc4d-91b7-7468-83de-476cde24890d')]) {
    assertProblem(answer, 404, 'not_found');
  }
  assert.deepEqual((await list(user)).map(({ id }) => id), [mine.id]);
  assert.deepEqual([(await ask(theirs.secret)).status, (await ask(mine.secret)).status], [200, 200]);
});

test('a made-up key costs one question to the meter and one to the database, and then nothing more', async () => {
  const user = await register(platform);
  const { secret } = await make(user);
  const nobody = withChecksum(secret.slice(0, 53) + '0'.repeat(22) + secret.slice(75, 118));
  const first = await ask(nobody);
  assertProblem(first, 401, 'unauthorized');
  const cost = await costOf(first);
  assert.deepEqual({ ...cost, d1_rows_read: 0 }, { ...NOTHING, durable_object_calls: 1, d1_statements: 1 });
  const read = await get(platform, '/user/profile', { token: withChecksum(secret.slice(0, 53) + '1'.repeat(22) + secret.slice(75, 118)) });
  assert.deepEqual({ ...(await costOf(read)), d1_rows_read: 0 }, { ...NOTHING, d1_statements: 1 });
});

test('with a key it costs what it costs with a session', async () => {
  const user = await register(platform);
  const { secret } = await make(user, { scopes: ['chat', 'account:read'] });
  for (const [body, fetches] of [[{ model: 'openai/small' }, 1], [{ model: 'openai/stream', stream: true }, 1], [{ model: 'tollgate/extractive' }, 0]]) {
    const answer = await chat(platform, secret, body);
    assert.equal(answer.status, 200, answer.text);
    await settledQuota(platform, user.access_token);
    assert.deepEqual(await costOf(answer), { ...NOTHING, durable_object_calls: 2, fetches });
    await sleep(1_050);
  }
  const first = await get(platform, '/user/profile', { token: secret });
  assert.equal(first.status, 200);
  await sleep(200);
  const later = await costOf(await get(platform, '/user/profile', { token: secret }));
  assert.deepEqual({ ...later, d1_rows_read: 0 }, { ...NOTHING, d1_statements: 2 }, 'one beside its own');
  assert.ok(later.d1_rows_read <= 10, `${later.d1_rows_read} rows`);
});

test('a busy key\'s reserves travel with others of its user, each with its own credential', async () => {
  const user = await register(platform);
  const { secret } = await make(user);
  const reader = await make(user, { scopes: ['usage'] });
  const wrong = withChecksum(secret.slice(0, 75) + reader.secret.slice(75, 118));
  const answers = await Promise.all(Array.from({ length: 80 }, (_, n) => ask([secret, user.access_token, reader.secret, wrong][n % 4], { max_tokens: 1 })));
  const statuses = (rest) => [...new Set(answers.filter((_, n) => n % 4 === rest).map(({ status }) => status))];
  assert.deepEqual([statuses(0), statuses(1), statuses(2), statuses(3)], [[200], [200], [403], [401]]);
  const { requests } = await settledQuota(platform, user.access_token);
  assert.equal(requests.used, 40);
  const calls = (await Promise.all(answers.map(costOf))).reduce((sum, { durable_object_calls: n }) => sum + n, 0);
  assert.ok(calls < 80, `${calls} object calls for 80 requests`);
});

test('a key has a pace of its own, and its user goes on', async () => {
  const user = await register(platform);
  const { secret } = await make(user, { requests_per_minute: 12 });
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(secret, { max_tokens: 1 })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 2, 'a sixth of a minute\'s at once');
  const refused = answers.find(({ status }) => status !== 200);
  const problem = assertProblem(refused, 429, 'rate_limited');
  assert.match(problem.detail, /API key/);
  assert.equal(problem.limit, 12);
  assert.ok(Number(refused.headers.get('retry-after')) <= 5);
  await assert.rejects(sdk(secret).chat.completions.create({ model: 'openai/small', messages }), RateLimitError);
  for (const { status } of await Promise.all(Array.from({ length: 10 }, () => ask(user.access_token, { max_tokens: 1 })))) assert.equal(status, 200);
  const another = await make(user);
  assert.equal((await ask(another.secret)).status, 200);
  const { requests } = await settledQuota(platform, user.access_token);
  assert.equal(requests.used, 13, 'what was refused counts nowhere');
});

test('at most a hundred keys, also when they are made at once; what is wrong with a key is said', async () => {
  const user = await register(platform);
  const answers = [];
  for (let round = 0; round < 11; round++) {
    answers.push(...(await Promise.all(Array.from({ length: 10 }, (_, n) => post(platform, '/user/api-keys', { name: `${round} ${n}`, scopes: ['chat'] }, { token: user.access_token })))));
  }
  assert.equal(answers.filter(({ status }) => status === 201).length, 100);
  for (const answer of answers.filter(({ status }) => status !== 201)) assertProblem(answer, 409, 'conflict');
  const seen = [];
  let cursor;
  do {
    const { data } = await get(platform, `/user/api-keys?limit=30${cursor ? `&cursor=${cursor}` : ''}`, { token: user.access_token });
    seen.push(...data.data.map(({ id }) => id));
    cursor = data.next_cursor;
  } while (cursor);
  assert.equal(new Set(seen).size, 100);
  assert.equal(seen.length, 100);
  assert.equal((await revoke(user, seen[0])).status, 204);
  await make(user);
  for (const [input, field] of [
    [{ name: '' }, 'name'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['root'] }, 'scopes'],
    [{ scopes: 'chat' }, 'scopes'],
    [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ expires_at: '2099-01-01T00:00:00Z' }, 'expires_at'],
    [{ requests_per_minute: 0 }, 'requests_per_minute'],
    [{ secret: 'mine' }, 'secret'],
  ]) {
    const problem = assertProblem(await post(platform, '/user/api-keys', { name: 'x', scopes: ['chat'], ...input }, { token: user.access_token }), 422, 'invalid_input');
    assert.equal(problem.errors[0].field, field);
  }
});

test('what a meter was never told it looks up once, and a key ends at its instant', async () => {
  const user = await register(platform);
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const dying = await make(user, { expires_at, scopes: ['chat', 'chat:read'] });
  const { secret } = await make(user);
  const settled = await ask(dying.secret);
  assert.equal(settled.status, 200);
  // The meter forgets everything, its plan too.
  await platform.restart({ whileStopped: () => subscribe(platform.stateDir, [user]) });
  const first = await ask(secret);
  assert.equal(first.status, 200, first.text);
  await settledQuota(platform, user.access_token);
  assert.equal((await costOf(first)).d1_statements, 3, 'the key, its last use, the plan');
  await sleep(1_050);
  const second = await ask(secret);
  await settledQuota(platform, user.access_token);
  assert.deepEqual(await costOf(second), { ...NOTHING, durable_object_calls: 2, fetches: 1 });
  assert.equal((await ask(dying.secret)).status, 200);

  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '3601' } });
  assertProblem(await ask(dying.secret), 401, 'unauthorized');
  assertProblem(await get(platform, '/v1/models', { token: dying.secret }), 401, 'unauthorized');
  assert.equal((await ask(secret)).status, 200);
  const again = await post(platform, '/auth/login', { email: user.email, password: user.password });
  assertProblem(await rotate(again.data, dying.id), 409, 'conflict');
  const listed = await list(again.data);
  assert.equal(listed.find(({ id }) => id === dying.id).expires_at, expires_at);
  const verified = await get(platform, '/usage/ledger/verify', { token: again.data.access_token });
  assert.equal(verified.data.ok, true, verified.text);
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '' } });
});

test('what was done with keys is in the audit log', async () => {
  const user = await register(platform);
  const { id } = await make(user, { name: 'watched' });
  const { data } = await rotate(user, id);
  await revoke(user, data.id);
  await revoke(user, data.id);
  let rows;
  await platform.restart({
    whileStopped: () => withDatabase(platform.stateDir, (database) => (rows = database.prepare("SELECT action, body FROM audit WHERE tenant_id = ? AND action LIKE 'api_key.%' ORDER BY seq").all(user.user.tenant_id))),
  });
  assert.deepEqual(rows.map(({ action }) => action), ['api_key.create', 'api_key.rotate', 'api_key.revoke']);
  const [made, rotated, revoked] = rows.map(({ body }) => JSON.parse(body));
  assert.deepEqual([made.actor, made.target, made.details], [{ kind: 'user', id: user.user.id }, { kind: 'api_key', id }, { name: 'watched', scopes: 'chat' }]);
  assert.deepEqual([rotated.target.id, rotated.details.replaced_by, revoked.target.id], [id, data.id, data.id]);
});

test("another service's key is told as a wrong key", async () => {
  for (const key of ['sk-proj-0123456789abcdef', 'AIzaSyD-1234567890', 'hello']) {
    const answer = await ask(key);
    assert.match(assertProblem(answer, 401, 'unauthorized').detail, /no API key of this service/);
  }
});

test('nothing panicked', () => platform.assertNoPanic());
