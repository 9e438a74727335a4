// What was promised survives a crash at any moment.
//
// A metered request is first reserved (durable before the provider is asked), then answered, then settled. A crash may lose
// an answer on its way to the client, and it may lose a settle; it must lose neither a reservation nor the limit. So, with
// `received` = answers the client got, at any moment and also after a crash:
//
//   received ≤ used + reserved ≤ 120        every answer that arrived is counted, and nobody gets more than the plan
//
// What was reserved and never settled stays reserved until it expires and counts then. So whoever asks on after a crash gets
// exactly 120 − (used + reserved) more answers, not one more and not one less.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, call, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota } from '../harness/usage.mjs';

const LIMIT = 120;
const upstream = await startUpstream();
upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));

const ask = (platform, user, headers = {}) =>
  call(platform, 'POST', '/v1/chat/completions', {
    token: user.access_token,
    headers,
    body: { model: 'openai/small', max_tokens: 20, messages: [{ role: 'user', content: 'Where is the toll paid?' }] },
  });

/** 1,000 at once; what came of each: its answer, or nothing because the connection died. Tells when so many were answered. */
function storm(platform, user) {
  const state = { received: [], refused: 0, lost: 0, others: [] };
  const done = Promise.all(
    Array.from({ length: 1_000 }, async () => {
      try {
        const answer = await ask(platform, user);
        if (answer.status === 200) state.received.push(answer.headers.get('x-request-id'));
        else if (answer.status === 429) state.refused += 1;
        else state.others.push([answer.status, answer.text]);
      } catch {
        state.lost += 1;
      }
    }),
  );
  return { state, done };
}

/** The state of the meter once the settles that were on their way have arrived. */
async function standing(platform, user) {
  let last;
  return eventually('the meter is at rest', async () => {
    const { requests } = await quota(platform, user.access_token);
    const now = `${requests.used}/${requests.reserved}`;
    const rests = now === last;
    last = now;
    await sleep(150);
    return rests && requests;
  });
}

async function assertInvariant(platform, user, { received, others, lost }, t) {
  const { used, reserved } = await standing(platform, user);
  t.diagnostic(`${received.length} answers received, ${lost} connections lost; ${used} used, ${reserved} reserved`);
  assert.deepEqual(others, [], 'nothing but answers, refusals and lost connections');
  assert.ok(received.length <= used + reserved, `${received.length} received, but only ${used} used and ${reserved} reserved`);
  assert.ok(used + reserved <= LIMIT, `${used} used and ${reserved} reserved of ${LIMIT}`);

  // Each received answer is in the log, or its reservation is still held; no answer is in the log twice.
  const rows = await logs(platform, user.access_token);
  const logged = new Set(rows.map((row) => row.request_id));
  assert.equal(logged.size, rows.length);
  assert.equal(rows.length, used);
  const unlogged = received.filter((id) => !logged.has(id));
  assert.ok(unlogged.length <= reserved, `${unlogged.length} answers neither in the log nor held`);

  // Exactly the rest is admitted.
  const rest = LIMIT - used - reserved;
  const more = await Promise.all(Array.from({ length: rest + 20 }, () => ask(platform, user)));
  assert.equal(more.filter(({ status }) => status === 200).length, rest);
  for (const answer of more.filter(({ status }) => status !== 200)) assertProblem(answer, 429, 'quota_exceeded');
  const after = await standing(platform, user);
  assert.deepEqual([after.used, after.reserved, after.remaining], [LIMIT - reserved, reserved, 0]);
}

// Moments: after so many answers have arrived.
for (const moment of [1, 40, 100]) {
  test(`kill -9 of the runtime after ${moment} of the answers`, async (t) => {
    const platform = await withPlatform({ env: upstream.env, test: t });
    const user = await register(platform);
    const { state, done } = storm(platform, user);
    await eventually(`${moment} answers`, () => state.received.length >= moment, 20_000);
    await platform.killWorkerd();
    await done;
    await assertInvariant(platform, user, state, t);
    platform.assertNoPanic();
  });
}

for (const moment of [0, 25, 80]) {
  test(`kill -9 of everything after ${moment} of the answers, and a new start on the same state`, async (t) => {
    const platform = await withPlatform({ env: upstream.env, test: t });
    const user = await register(platform);
    const { state, done } = storm(platform, user);
    const before = upstream.requests.length;
    await eventually(`${moment} answers`, () => (moment === 0 ? upstream.requests.length > before : state.received.length >= moment), 20_000);
    const workerd = platform.workerdPid();
    process.kill(platform.pid, 'SIGKILL');
    process.kill(workerd, 'SIGKILL');
    await done;
    await platform.restart();
    await assertInvariant(platform, user, state, t);
    platform.assertNoPanic();
  });
}

test('a reservation whose request died counts at its estimate once it expires', async (t) => {
  const platform = await withPlatform({ env: upstream.env, test: t });
  const user = await register(platform);
  upstream.answers('never', () => new Promise(() => {}));
  const lost = assert.rejects(chat(platform, user.access_token, { model: 'openai/never', max_tokens: 1_000 }));
  const held = await eventually('a reservation', async () => {
    const meters = await quota(platform, user.access_token);
    return meters.requests.reserved === 1 && meters;
  });
  await platform.killWorkerd();
  await lost;
  const survived = await quota(platform, user.access_token);
  assert.deepEqual([survived.requests.reserved, survived.tokens.reserved], [1, held.tokens.reserved], 'the reservation survived');

  // An hour later nobody holds a reservation any more. An access token does not live that long: renew it.
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '3600' } });
  const { data } = await call(platform, 'POST', '/auth/refresh', { body: { refresh_token: user.refresh_token } });
  const later = await quota(platform, data.access_token);
  assert.deepEqual([later.requests.used, later.requests.reserved], [1, 0], 'a crash is never free');
  assert.equal(later.tokens.used, held.tokens.reserved);
  const rows = await logs(platform, data.access_token);
  assert.deepEqual(rows.map(({ outcome, tokens, requests }) => ({ outcome, tokens, requests })), [{ outcome: 'expired', tokens: held.tokens.reserved, requests: 1 }]);
});

test('a key whose request died with the runtime works on: one charge, one answer', async (t) => {
  const platform = await withPlatform({ env: upstream.env, test: t });
  const user = await register(platform);
  let asked = 0;
  upstream.answers('dies-once', ({ json }) => (++asked === 1 ? new Promise(() => {}) : json(200, openai.completion('At last.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }))));
  const request = { model: 'openai/dies-once', max_tokens: 50, headers: { 'idempotency-key': 'crash' } };
  const lost = assert.rejects(chat(platform, user.access_token, request));
  await eventually('the provider was asked', () => asked === 1);
  await platform.killWorkerd();
  await lost;
  const answers = await Promise.all(Array.from({ length: 5 }, () => chat(platform, user.access_token, request)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200], answers.map(({ text }) => text).join('\n'));
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  const { requests, tokens } = await eventually('settled', async () => {
    const meters = await quota(platform, user.access_token);
    return meters.requests.reserved === 0 && meters;
  });
  assert.deepEqual([requests.used, tokens.used], [1, 15]);
  assert.equal(asked, 2);
});

test('accounts and sessions survive, too', async (t) => {
  const platform = await withPlatform({ env: upstream.env, test: t });
  const users = await Promise.all(Array.from({ length: 5 }, () => register(platform)));
  await platform.killWorkerd();
  for (const user of users) {
    assert.equal((await call(platform, 'GET', '/user/profile', { token: user.access_token })).status, 200, 'who was told 201 is registered');
    assert.equal((await call(platform, 'POST', '/auth/login', { body: { email: user.email, password: user.password } })).status, 200);
  }
});
