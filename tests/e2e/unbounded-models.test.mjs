// Models that answer as much as they may, many at once, without `max_tokens`: what is ordered of the provider never exceeds
// what the plan has left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const TRIAL_TOKENS = 50_000;

/** What a request orders at most: its own limit, or what the model has without one. */
const ordered = (body) => body.max_completion_tokens ?? body.max_tokens ?? 128_000;

for (const [what, name, count, stream] of [
  ['a hundred at once of a model with a price', 'gpt-5', 100, false],
  ['a hundred at once of an unknown model, streamed', 'a-model-of-tomorrow', 100, true],
  ['a thousand at once', 'gpt-5-mini', 1_000, false],
]) {
  test(`${what} order no more than a trial has left`, async (t) => {
    const user = await register(platform);
    const gate = Promise.withResolvers();
    const before = upstream.seen(name).length;
    // Every model waits until all were asked, so that all are under way together; then each answers all that it may.
    upstream.answers(name, async ({ seen, json, stream: send }) => {
      await gate.promise;
      const tokens = ordered(seen.body);
      if (seen.body.stream) return send([openai.text('word '), openai.finish('length'), openai.usage(11, tokens), openai.done()]);
      return json(200, openai.completion('word', { prompt_tokens: 11, completion_tokens: tokens, total_tokens: 11 + tokens }));
    });
    const asked = Array.from({ length: count }, () => chat(platform, user.access_token, { model: `openai/${name}`, ...(stream ? { stream: true } : {}), messages: [{ role: 'user', content: 'Write me a long novel, please.' }] }));
    setTimeout(gate.resolve, 3_000);
    const answers = await Promise.all(asked);
    const bodies = upstream.seen(name).slice(before).map(({ body }) => body);
    const sum = bodies.reduce((total, body) => total + ordered(body), 0);
    const admitted = answers.filter(({ status }) => status === 200).length;
    t.diagnostic(`${count} asked, ${admitted} admitted, ${sum} tokens ordered of ${TRIAL_TOKENS} left; caps from ${Math.min(...bodies.map(ordered))} to ${Math.max(...bodies.map(ordered))}`);
    assert.equal(bodies.length, admitted);
    assert.ok(sum <= TRIAL_TOKENS, `${sum} ordered`);
    assert.ok(admitted >= 20, `${admitted} were admitted`);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertProblem(answer, 429, 'quota_exceeded');
    const { tokens } = await settledQuota(platform, user.access_token, 30_000);
    assert.ok(tokens.used <= TRIAL_TOKENS, `${tokens.used} used`);
  });
}

test('one alone gets room enough', async () => {
  const user = await register(platform);
  upstream.answers('gpt-4o', ({ json }) => json(200, openai.completion('Yes.')));
  await chat(platform, user.access_token, { model: 'openai/gpt-4o' });
  assert.ok(ordered(upstream.seen('gpt-4o').at(-1).body) >= 10_000);
});

test('of two limits the larger is held, and one is sent', async () => {
  const user = await register(platform);
  upstream.answers('two-limits', ({ json }) => json(200, openai.completion('Yes.')));
  const twice = await chat(platform, user.access_token, { model: 'openai/two-limits', max_completion_tokens: 1, max_tokens: 200_000 });
  assertProblem(twice, 429, 'quota_exceeded');
  const less = await chat(platform, user.access_token, { model: 'openai/two-limits', max_completion_tokens: 1, max_tokens: 20_000 });
  assert.equal(less.status, 200, less.text);
  const { body } = upstream.seen('two-limits').at(-1);
  assert.deepEqual([body.max_completion_tokens, body.max_tokens], [20_000, undefined]);
});

test('nothing panicked', () => platform.assertNoPanic());
