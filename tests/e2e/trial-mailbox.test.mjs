// Trials need a mailbox, and all of them together have a ceiling: invented addresses order nothing that costs money.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, chat, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';

const CEILING_MICROUSD = 1_000_000;
/** List prices of gpt-5, in micro-dollars a token. */
const [PROMPT_MICROUSD, ANSWER_MICROUSD] = [1.25, 10];

const upstream = await startUpstream();
const strict = await withPlatform({ env: { ...upstream.env, TRIALS_NEED_CONFIRMED_EMAIL: 'true' } });
const capped = await withPlatform({ env: { ...upstream.env, TRIALS_MICROUSD_PER_DAY: String(CEILING_MICROUSD) } });
const ordered = (body) => body.max_completion_tokens ?? body.max_tokens ?? 128_000;
const messages = [{ role: 'user', content: 'Write me a long novel, please.' }];
const ask = (platform, token, more = {}) => chat(platform, token, { model: 'openai/gpt-5', messages, ...more });
// Models answer all that they may.
upstream.answers('gpt-5', ({ seen, json }) => json(200, openai.completion('word', { prompt_tokens: 10, completion_tokens: ordered(seen.body), total_tokens: 10 + ordered(seen.body) })));

const confirm = async (platform, who) => {
  const [mail] = await waitForMails(platform, who.email, 'verify_email');
  return post(platform, '/auth/verify-email', { token: tokenOf(mail) }, { token: who.access_token });
};

for (const [accounts, each] of [[10, 5], [100, 2]]) {
  test(`${accounts} invented addresses order nothing of a provider`, async (t) => {
    const before = upstream.seen('gpt-5').length;
    const answers = [];
    for (let n = 0; n < accounts; n += 10) {
      const people = await Promise.all(Array.from({ length: 10 }, () => register(strict)));
      answers.push(...(await Promise.all(people.flatMap(({ access_token: token }) => Array.from({ length: each }, (_, k) => ask(strict, token, { stream: k % 2 === 1 }))))));
    }
    for (const answer of answers) assert.match(assertProblem(answer, 403, 'email_not_verified').detail, /\/auth\/verify-email\/resend/);
    assert.equal(upstream.seen('gpt-5').length - before, 0);
    t.diagnostic(`${accounts} accounts, ${answers.length} requests, none reached the provider`);
  });
}

test('what costs nothing answers before, everything after, and nothing was used up by the refusals', async () => {
  const user = await register(strict);
  assert.equal((await ask(strict, user.access_token, { model: 'tollgate/extractive' })).status, 200);
  const refused = await ask(strict, user.access_token);
  assertProblem(refused, 403, 'email_not_verified');
  // OpenAI's clients read it, and do not try again.
  assert.equal(refused.data.error.code, 'email_not_verified');
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  const keyed = () => chat(strict, user.access_token, { model: 'openai/gpt-5', messages, max_tokens: 10, headers: { 'idempotency-key': 'one' } });
  assert.equal((await keyed()).status, 403);
  assert.equal((await confirm(strict, user)).status, 204);
  assert.equal((await keyed()).status, 200, 'the key was not used up');
  assert.equal((await ask(strict, user.access_token, { max_tokens: 10 })).status, 200);
  const { data } = await get(strict, '/user/trial-status', { token: user.access_token });
  assert.equal(data.status, 'trialing');
});

test('an address that was proven by a reset is confirmed, too', async () => {
  const user = await register(strict);
  await post(strict, '/auth/forgot-password', { email: user.email });
  const [mail] = await waitForMails(strict, user.email, 'reset_password');
  assert.equal((await post(strict, '/auth/reset-password', { token: tokenOf(mail), password: 'another long and quiet one' })).status, 204);
  const { data } = await post(strict, '/auth/login', { email: user.email, password: 'another long and quiet one' });
  assert.equal((await ask(strict, data.access_token, { max_tokens: 10 })).status, 200);
});

test('whoever pays is asked for no confirmation, and accounts of before go on', async () => {
  const payer = await register(strict);
  await strict.restart({
    whileStopped: () => subscribe(strict.stateDir, [{ user: payer.user, plan: 'pro', limits: { requests: { hard: 1_000 }, tokens: { hard: 100_000 } } }]),
  });
  assert.equal((await ask(strict, payer.access_token, { max_tokens: 10 })).status, 200);
});

test('a hundred trials together cost no more than the ceiling of a day, and who pays goes on', async (t) => {
  const before = upstream.seen('gpt-5').length;
  const answers = [];
  for (let n = 0; n < 100; n += 10) {
    const people = await Promise.all(Array.from({ length: 10 }, () => register(capped)));
    answers.push(...(await Promise.all(people.flatMap(({ access_token: token }) => Array.from({ length: 3 }, () => ask(capped, token))))));
  }
  const bodies = upstream.seen('gpt-5').slice(before).map(({ body }) => body);
  const cost = bodies.reduce((sum, body) => sum + 10 * PROMPT_MICROUSD + ordered(body) * ANSWER_MICROUSD, 0);
  const refused = answers.filter(({ status }) => status === 429);
  t.diagnostic(`${answers.length} asked, ${bodies.length} reached the provider, ${Math.round(cost)} of ${CEILING_MICROUSD} micro-dollars`);
  assert.ok(cost <= CEILING_MICROUSD, `${cost}`);
  assert.ok(cost >= CEILING_MICROUSD * 0.5, `only ${cost} of the ceiling could be used`);
  assert.ok(refused.length > 100);
  const spent = refused.filter(({ data }) => data.code === 'trial_budget_spent');
  assert.ok(spent.length > 50);
  const problem = assertProblem(spent[0], 429, 'trial_budget_spent');
  const seconds = Number(spent[0].headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 86_400, `${seconds}`);
  assert.match(problem.upgrade_url, /\/subscription\/plans$/);
  assert.equal(spent[0].headers.get('x-should-retry'), 'false');
  assert.match(capped.log.join('\n'), /trials together have reached what they may cost today/);

  const payer = await register(capped);
  assert.equal((await ask(capped, payer.access_token)).status, 429);
  // What costs nothing answers all the same, and nothing of the trial was used up.
  assert.equal((await ask(capped, payer.access_token, { model: 'tollgate/extractive' })).status, 200);
  await capped.restart({
    whileStopped: () => subscribe(capped.stateDir, [{ user: payer.user, plan: 'pro', limits: { requests: { hard: 1_000 }, tokens: { hard: 100_000 } } }]),
  });
  assert.equal((await ask(capped, payer.access_token, { max_tokens: 10 })).status, 200);
  // The ceiling outlives a restart.
  assertProblem(await ask(capped, (await register(capped)).access_token), 429, 'trial_budget_spent');
});

test('nothing panicked', () => {
  strict.assertNoPanic();
  capped.assertNoPanic();
});
