// Whatever a provider streams: one terminal event, no charge without a delivery, nothing left on hold, and a key that is free again or
// replays. The decoders alone are held to it by `shared/providers/tests/malformed.rs`, with five hundred streams of each provider.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { chat, register } from '../harness/http.mjs';
import { malformedStreams } from '../harness/malformed-streams.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const EACH = 20;
const PROVIDERS = ['openai', 'anthropic', 'gemini'];
const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const users = Object.fromEntries(await Promise.all(PROVIDERS.map(async (provider) => [provider, await register(platform)])));
await platform.restart({ whileStopped: () => subscribe(platform.stateDir, Object.values(users).map(({ user }) => ({ user, limits: { requests: { hard: 1_000 }, tokens: 'unlimited' } }))) });

/** The frames of a stream of ours: every one is whole. */
function framesOf(text) {
  return text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => (frame === 'data: [DONE]' ? frame : JSON.parse(frame.slice(6))));
}

for (const [place, provider] of PROVIDERS.entries()) {
  test(`${EACH} malformed streams of ${provider}`, async (t) => {
    const user = users[provider];
    const counted = { completed: 0, failed: 0, refused: 0 };
    for (const [number, { name, pieces, end }] of malformedStreams(provider, EACH, 7 + place).entries()) {
      const what = `${number} (${name}, ${end}): ${JSON.stringify(Buffer.concat(pieces).toString()).slice(0, 2_000)}`;
      const model = `malformed-${provider}-${number}`;
      upstream.answers(model, ({ stream }) => stream(pieces, { end }));
      const before = await settledQuota(platform, user.access_token);
      const ask = () => chat(platform, user.access_token, { model: `${provider}/${model}`, stream: true, headers: { 'idempotency-key': key } });
      const key = randomUUID();
      const answer = await ask();
      const after = await settledQuota(platform, user.access_token);
      const charged = [after.requests.used - before.requests.used, after.tokens.used - before.tokens.used];

      if (answer.status !== 200) {
        counted.refused += 1;
        assert.match(answer.headers.get('content-type'), /problem\+json/, what);
        assert.deepEqual(charged, [0, 0], `charged without a delivery: ${what}`);
        const asked = upstream.seen(model).length;
        await ask();
        assert.equal(upstream.seen(model).length, asked + 1, `the key is not free: ${what}`);
        continue;
      }
      const frames = framesOf(answer.text);
      const terminal = frames.filter((frame) => frame === 'data: [DONE]' || frame.error);
      assert.equal(terminal.length, 1, `terminal events: ${what}\n${answer.text}`);
      assert.equal(frames.at(-1), terminal[0], `something follows the end: ${what}`);
      const isWhole = terminal[0] === 'data: [DONE]';
      counted[isWhole ? 'completed' : 'failed'] += 1;
      const delivered = frames.some((frame) => frame.choices?.some(({ delta, finish_reason: reason }) => reason || Object.keys(delta).some((member) => member !== 'role')));
      assert.ok(delivered, `a stream that delivers nothing should be a problem: ${what}`);
      if (isWhole) assert.ok(frames.some((frame) => frame.choices?.some(({ finish_reason: reason }) => reason)), `completed without an end: ${what}`);
      assert.equal(charged[0], 1, what);
      assert.ok(charged[1] > 0 && charged[1] < 100_000, `${charged[1]} tokens: ${what}`);
      const asked = upstream.seen(model).length;
      const again = await ask();
      assert.equal(again.text, answer.text, `a retry gets another answer: ${what}`);
      assert.equal(upstream.seen(model).length, asked, `a retry asks again: ${what}`);
    }
    t.diagnostic(JSON.stringify(counted));
    assert.ok(Object.values(counted).every((count) => count > 0), 'the generator makes some of each, or it tests nothing');
  });
}

test('the platform goes on', async () => {
  for (const { access_token } of Object.values(users)) {
    const answer = await chat(platform, access_token, { model: 'openai/as-ever' });
    assert.equal(answer.status, 200, answer.text);
  }
  assert.ok(!platform.log.some((line) => line.includes('panicked')));
});
