// How fast requests may come, where a subscription says: exactly the burst, then the pace, and a refusal counts nowhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, chat, get, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { logs, quota, settledQuota } from '../harness/usage.mjs';

// One more every ten seconds: far longer than a burst takes, on any machine.
const SLOW = { per_minute: 6, burst: 10 };
const FAST = { per_minute: 600, burst: 5 };

const upstream = await startUpstream();
upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));
const platform = await withPlatform({ env: upstream.env });
const [slow, fast, free] = [await register(platform), await register(platform), await register(platform)];
await platform.restart({
  whileStopped: () =>
    subscribe(platform.stateDir, [
      { ...slow, limits: { requests: { hard: 100 }, tokens: 'unlimited', rate: SLOW } },
      { ...fast, limits: { rate: FAST } },
      { ...free },
    ]),
});
const ask = (user, more) => chat(platform, user.access_token, { model: 'openai/small', max_tokens: 20, ...more });
const atOnce = (user, count) => Promise.all(Array.from({ length: count }, () => ask(user)));
const ok = (answers) => answers.filter(({ status }) => status === 200);

test('of 60 requests at once exactly the burst is admitted', async (t) => {
  const answers = await atOnce(slow, 60);
  const refused = answers.filter(({ status }) => status !== 200);
  assert.equal(ok(answers).length, SLOW.burst);
  assert.equal(upstream.seen('small').length, SLOW.burst, 'the provider was asked exactly as often');

  await t.test('the others are told how fast they may, and when to come again', () => {
    for (const answer of refused) {
      const problem = assertProblem(answer, 429, 'rate_limited');
      assert.deepEqual([problem.limit, problem.remaining, problem.meter], [SLOW.per_minute, 0, undefined]);
      const wait = Number(answer.headers.get('retry-after'));
      assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 10, `Retry-After ${wait}`);
      assert.equal(answer.headers.get('ratelimit-policy'), '"requests_per_minute";q=6;w=60');
      assert.equal(answer.headers.get('ratelimit'), `"requests_per_minute";r=0;t=${wait}`);
      assert.equal(problem.error.type, 'rate_limit_error');
    }
  });
  await t.test('nothing of what was refused counts', async () => {
    const { requests, tokens } = await settledQuota(platform, slow.access_token);
    assert.deepEqual([requests.used, requests.limit, tokens.used], [10, 100, 150]);
    assert.equal((await logs(platform, slow.access_token)).length, 10);
  });
  await t.test('a restart hands out no fresh burst', async () => {
    await platform.restart();
    assertProblem(await ask(slow), 429, 'rate_limited');
  });
  await t.test('after the told time one more is admitted, under the key that was refused before', async () => {
    const headers = { 'idempotency-key': 'again' };
    const refusal = await ask(slow, { headers });
    assertProblem(refusal, 429, 'rate_limited');
    await sleep(Number(refusal.headers.get('retry-after')) * 1_000);
    const answers = [await ask(slow, { headers }), ...(await atOnce(slow, 5))];
    assert.deepEqual(answers.map(({ status }) => status), [200, 429, 429, 429, 429, 429]);
    const replay = await ask(slow, { headers });
    assert.deepEqual([replay.status, replay.headers.get('idempotent-replayed')], [200, 'true'], 'a replay takes nothing from the bucket');
    const { requests, tokens } = await settledQuota(platform, slow.access_token);
    assert.deepEqual([requests.used, tokens.used], [11, 165]);
  });
});

test('in the long run no more than the burst and the pace', async (t) => {
  const began = performance.now();
  let admitted = 0;
  let refused = 0;
  const until = began + 2_000;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (performance.now() < until) {
        const answer = await ask(fast);
        if (answer.status === 200) admitted += 1;
        else {
          assertProblem(answer, 429, 'rate_limited');
          refused += 1;
        }
      }
    }),
  );
  const elapsed = performance.now() - began;
  const most = FAST.burst + Math.floor((elapsed * FAST.per_minute) / 60_000) + 1;
  t.diagnostic(`${admitted} admitted in ${Math.round(elapsed)} ms, ${most} at most; ${refused} refused`);
  assert.ok(admitted <= most, `${admitted} admitted, ${most} at most`);
  assert.ok(admitted > FAST.burst && refused > 0);
  const { requests } = await settledQuota(platform, fast.access_token);
  assert.deepEqual([requests.used, requests.limit], [admitted, 1_000], 'a rate alone leaves the plan\'s limits as they are');
});

test('without a rate in the subscription there is none', async () => {
  assert.equal(ok(await atOnce(free, 100)).length, 100);
  assert.equal((await quota(platform, free.access_token)).requests.limit, 1_000);
  assert.equal((await get(platform, '/user/profile', { token: slow.access_token })).status, 200, 'and it is for what is metered');
});

test('nothing panicked', () => platform.assertNoPanic());
