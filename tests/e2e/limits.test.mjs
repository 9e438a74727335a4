// The trial's limits, exact under load, and what a refusal tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { assertProblem, chat, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const TRIAL_REQUESTS = 120;
const TRIAL_TOKENS = 50_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));
// Takes as many tokens as it is told to in the prompt.
upstream.answers('big', ({ seen, json }) => {
  const tokens = Number(/\d+/.exec(seen.body.messages.at(-1).content)[0]);
  json(200, openai.completion('A lot.', { prompt_tokens: 10, completion_tokens: tokens - 10, total_tokens: tokens }));
});

// Was told 100 tokens at most and does not care.
upstream.answers('liar', ({ json }) => json(200, openai.completion('On and on.', { prompt_tokens: 10, completion_tokens: 19_990, total_tokens: 20_000 })));
// Keeps its reservation until the gate opens.
const gate = Promise.withResolvers();
upstream.answers('waits', async ({ json }) => {
  await gate.promise;
  json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
});

const ask = (token, more = {}) => chat(platform, token, { model: 'openai/small', max_tokens: 20, ...more });
/** Uses up that many tokens, whatever it promised to take at most. */
const burn = async (token, tokens) => {
  const answer = await chat(platform, token, { model: 'openai/big', content: `Take ${tokens} tokens`, max_tokens: Math.min(tokens, 1_000) });
  assert.equal(answer.status, 200, answer.text);
};

/** Asserts the refusal of an empty meter, as the contract and the IETF draft have it. */
function assertQuotaExceeded(answer, { meter, limit, used, remaining }) {
  const problem = assertProblem(answer, 429, 'quota_exceeded');
  assert.deepEqual({ meter: problem.meter, limit: problem.limit, used: problem.used, remaining: problem.remaining }, { meter, limit, used, remaining });
  assert.match(problem.resets_at, RFC3339_UTC);
  assert.match(problem.upgrade_url, /^http:\/\/127\.0\.0\.1:\d+\//);
  assert.ok(problem.detail.length > 0);
  assert.match(answer.headers.get('retry-after'), /^\d+$/);
  assert.match(answer.headers.get('ratelimit-policy'), new RegExp(`^"${meter}";.*q=${limit}\\b`));
  assert.match(answer.headers.get('ratelimit'), new RegExp(`^"${meter}";.*r=${remaining}\\b`));
  return problem;
}

test('of 1,000 concurrent requests of a new trial user exactly 120 are answered, and it stays so', async (t) => {
  const user = await register(platform);
  const before = upstream.seen('small').length;
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(user.access_token)));

  await t.test('exactly 120 answers and 880 refusals', () => {
    const counts = Map.groupBy(answers, ({ status }) => status);
    assert.deepEqual(
      { ok: counts.get(200)?.length, refused: counts.get(429)?.length, others: [...counts.keys()].filter((status) => ![200, 429].includes(status)) },
      { ok: TRIAL_REQUESTS, refused: 1_000 - TRIAL_REQUESTS, others: [] },
    );
  });
  await t.test('the provider was asked exactly as often', () => {
    assert.equal(upstream.seen('small').length - before, TRIAL_REQUESTS);
  });
  await t.test('every refusal is the documented problem', () => {
    for (const answer of answers.filter(({ status }) => status === 429)) {
      const problem = assertProblem(answer, 429, 'quota_exceeded');
      assert.equal(problem.meter, 'requests');
      assert.equal(problem.limit, TRIAL_REQUESTS);
      assert.equal(problem.remaining, 0);
      assert.equal(problem.used + problem.reserved, TRIAL_REQUESTS);
    }
  });
  await t.test('the official client says so at once and does not wait for the next period', async () => {
    const client = new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 5 });
    let sent = 0;
    const counting = client.withOptions({ fetch: (...args) => ((sent += 1), fetch(...args)) });
    await assert.rejects(counting.chat.completions.create({ model: 'openai/small', messages: [{ role: 'user', content: 'Hi' }] }), ({ status, code }) => status === 429 && code === 'quota_exceeded');
    assert.equal(sent, 1);
  });
  await t.test('each answer is one request id, and each counts once in the log', async () => {
    await settledQuota(platform, user.access_token);
    const rows = await logs(platform, user.access_token);
    const answered = answers.filter(({ status }) => status === 200).map(({ headers }) => headers.get('x-request-id'));
    assert.deepEqual(rows.map((row) => row.request_id).sort(), answered.sort());
    assert.ok(rows.every((row) => row.requests === 1 && row.tokens === 15 && row.outcome === 'completed'));
  });
  await t.test('120 are used and none is reserved', async () => {
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual(
      { used: requests.used, limit: requests.limit, remaining: requests.remaining, percent: requests.percent, warning: requests.warning },
      { used: TRIAL_REQUESTS, limit: TRIAL_REQUESTS, remaining: 0, percent: 100, warning: 100 },
    );
    assert.equal(tokens.used, TRIAL_REQUESTS * 15);
  });
  await t.test('the next one is refused with what is left and when it resets', async () => {
    const answer = await ask(user.access_token);
    const problem = assertQuotaExceeded(answer, { meter: 'requests', limit: TRIAL_REQUESTS, used: TRIAL_REQUESTS, remaining: 0 });
    const { data: trial } = await get(platform, '/user/trial-status', { token: user.access_token });
    assert.equal(problem.resets_at, trial.trial_ends_at);
    // Retrying sooner makes no sense: the header says when it does.
    const wait = Number(answer.headers.get('retry-after'));
    assert.ok(Math.abs(wait - (Date.parse(problem.resets_at) - Date.now()) / 1000) < 30, `Retry-After ${wait}`);
  });
  await t.test('it is the same after a restart of the platform', async () => {
    await platform.restart();
    const { requests } = await quota(platform, user.access_token);
    assert.deepEqual({ used: requests.used, reserved: requests.reserved }, { used: TRIAL_REQUESTS, reserved: 0 });
    assertQuotaExceeded(await ask(user.access_token), { meter: 'requests', limit: TRIAL_REQUESTS, used: TRIAL_REQUESTS, remaining: 0 });
  });
});

test('the limit is each user\'s own', async () => {
  const [first, second] = await Promise.all([register(platform), register(platform)]);
  await burn(first.access_token, 49_000);
  assert.equal((await ask(second.access_token)).status, 200);
  const { requests, tokens } = await settledQuota(platform, second.access_token);
  assert.deepEqual([requests.used, tokens.used], [1, 15]);
});

test('the token limit is hard', async (t) => {
  const user = await register(platform);
  await burn(user.access_token, 40_000);
  await settledQuota(platform, user.access_token);

  await t.test('a request that needs more than is left is refused and says how much is', async () => {
    const answer = await ask(user.access_token, { max_tokens: 15_000 });
    const problem = assertQuotaExceeded(answer, { meter: 'tokens', limit: TRIAL_TOKENS, used: 40_000, remaining: 10_000 });
    assert.ok(problem.requested > 15_000, 'prompt and answer together');
  });
  await t.test('one that fits is answered', async () => {
    assert.equal((await ask(user.access_token, { max_tokens: 9_000 })).status, 200);
  });
  await t.test('refusals used nothing up', async () => {
    const { requests, tokens } = await settledQuota(platform, user.access_token);
    assert.deepEqual([requests.used, tokens.used, tokens.remaining], [2, 40_015, 9_985]);
  });
  await t.test('concurrent requests together stay below it', async () => {
    // Each holds a bit more than 3,000 of the 9,985 left: three fit.
    const refused = [];
    const asked = Array.from({ length: 40 }, async () => {
      const answer = await ask(user.access_token, { max_tokens: 3_000, model: 'openai/waits' });
      if (answer.status !== 200) refused.push(answer);
      return answer;
    });
    await eventually('37 refusals while three are held', () => refused.length >= 37).finally(gate.resolve);
    const answers = await Promise.all(asked);
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    for (const answer of refused) assertProblem(answer, 429, 'quota_exceeded');
  });
  await t.test('a stream that runs past it is counted in full, and the next request sees it', async () => {
    const { tokens } = await settledQuota(platform, user.access_token);
    const answer = await chat(platform, user.access_token, { model: 'openai/liar', max_tokens: 100 });
    assert.equal(answer.status, 200);
    const after = await settledQuota(platform, user.access_token);
    assert.equal(after.tokens.used, tokens.used + 20_000);
    assert.equal(after.tokens.remaining, 0);
    assertQuotaExceeded(await ask(user.access_token, { max_tokens: 1 }), { meter: 'tokens', limit: TRIAL_TOKENS, used: after.tokens.used, remaining: 0 });
  });
});
test('warnings come at 80, 90 and 100 percent', async () => {
  const user = await register(platform);
  const seen = [];
  for (const tokens of [39_989, 11, 4_999, 11, 4_990]) {
    await burn(user.access_token, tokens);
    const { tokens: meter } = await settledQuota(platform, user.access_token);
    seen.push([meter.used, meter.percent, meter.warning]);
  }
  assert.deepEqual(seen, [
    [39_989, 79, null],
    [40_000, 80, 80],
    [44_999, 89, 80],
    [45_010, 90, 90],
    [50_000, 100, 100],
  ]);
});

test('the trial ends on the second', async (t) => {
  const user = await register(platform);
  assert.equal((await ask(user.access_token)).status, 200);
  const { data: trial } = await get(platform, '/user/trial-status', { token: user.access_token });
  assert.match(trial.trial_ends_at, RFC3339_UTC);
  assert.deepEqual([trial.status, trial.days_remaining], ['trialing', 7]);
  assert.ok(Math.abs(Date.parse(trial.trial_ends_at) - Date.parse(user.user.created_at) - 7 * DAY_MS) < 1000);

  // An access token does not live for a week: sign in again on the other day.
  const secondsToTheEnd = 15;
  const offset = Math.floor((Date.parse(trial.trial_ends_at) - Date.now()) / 1000) - secondsToTheEnd;
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(offset) } });
  const signedIn = await post(platform, '/auth/login', { email: user.email, password: user.password });
  assert.equal(signedIn.status, 200, signedIn.text);
  const token = signedIn.data.access_token;
  const platformNow = () => Date.now() + offset * 1000;

  let answered = 1;
  await t.test('up to its last moment everything works, and from then on it is 402', async () => {
    const end = Date.parse(trial.trial_ends_at);
    // A slow machine takes its time to start again; a quick one waits here.
    await sleep(Math.max(0, end - 3_000 - platformNow()));
    const before = await get(platform, '/user/trial-status', { token });
    assert.deepEqual([before.data.status, before.data.days_remaining], ['trialing', 1]);
    let lastGood;
    for (;;) {
      const sentAt = platformNow();
      const answer = await ask(token);
      const arrivedAt = platformNow();
      // Between sending and arriving lies the decision; only what straddles the end may go either way.
      if (arrivedAt < end) assert.equal(answer.status, 200, `${end - arrivedAt} ms before the end: ${answer.text}`);
      if (answer.status === 200) {
        assert.ok(sentAt < end, `answered ${sentAt - end} ms after the end`);
        answered += 1;
        lastGood = arrivedAt;
      } else {
        assertProblem(answer, 402, 'trial_expired');
        assert.ok(lastGood, 'at least one was answered before the end');
        break;
      }
      await sleep(Math.min(100, Math.max(0, end - platformNow())));
    }
  });
  await t.test('a second after it is 402 with the way out, streaming or not, whatever the model', async () => {
    for (const answer of [await ask(token), await ask(token, { stream: true }), await chat(platform, token)]) {
      const problem = assertProblem(answer, 402, 'trial_expired');
      assert.match(problem.upgrade_url, /^http:\/\//);
      assert.ok(problem.detail.includes(trial.trial_ends_at), problem.detail);
    }
    const { data } = await get(platform, '/user/trial-status', { token });
    assert.deepEqual([data.status, data.days_remaining, data.trial_ends_at], ['expired', 0, trial.trial_ends_at]);
    assert.match(data.upgrade_url, /^http:\/\//);
  });
  await t.test('reading goes on, and refusals charged nothing', async () => {
    const after = await settledQuota(platform, token);
    assert.deepEqual([after.requests.used, after.tokens.used], [answered, answered * 15]);
    assert.equal((await get(platform, '/user/profile', { token })).status, 200);
  });
});

test('nothing panicked', () => platform.assertNoPanic());
