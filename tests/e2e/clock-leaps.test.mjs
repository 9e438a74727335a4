// A clock that leaps far ahead and comes back leaves nobody in the future: see shared/domain/src/clock_leap.rs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, bearer, chat, del, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { makeTeam } from '../harness/team.mjs';
import { eventually, logs, settledQuota } from '../harness/usage.mjs';

const HOUR = 60 * 60;
const DAY = 24 * HOUR;
const OPERATOR = 'op_0123456789abcdef0123456789';
const LIMITS = { requests: { hard: 100 }, tokens: 'unlimited' };

/** A key outlives the leap, as a token does not. */
async function withKey(platform, user) {
  const { status, data, text } = await post(platform, '/user/api-keys', { name: 'leaps', scopes: ['chat', 'usage'] }, { token: user.access_token });
  assert.equal(status, 201, text);
  return { ...user, key: data.key ?? data.secret, keyId: data.id };
}

const at = (platform, seconds, options = {}) => platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(seconds) }, ...options });
async function asks(platform, who, count = 1) {
  for (let n = 0; n < count; n++) {
    const answer = await chat(platform, who.key);
    assert.equal(answer.status, 200, answer.text);
    who.asked = (who.asked ?? 0) + 1;
  }
  // A settle comes a moment after its answer: a restart before that would lose it.
  await eventually('all are settled', async () => (await logs(platform, who.key)).length === who.asked);
}
/** What is used once nothing is held any more: a member's lease goes back to the team when it has lain idle for ten seconds. */
const used = async (platform, who) => (await settledQuota(platform, who.key, 30_000)).requests.used;
async function assertSound(platform, who) {
  const { data, text } = await get(platform, '/usage/ledger/verify', { token: who.key });
  assert.equal(data?.ok, true, text);
}

test('a trial, a month and a team are where they were when the clock comes back, and what was used meanwhile counts', async (t) => {
  const platform = await withPlatform({ test: t });
  const [, member, other] = await makeTeam(platform, { members: 3, limits: LIMITS });
  const [onTrial, paying, stopped] = [await register(platform), await register(platform), await register(platform)];
  await platform.restart({ whileStopped: () => subscribe(platform.stateDir, [{ user: paying.user, limits: LIMITS }]) });
  const [tom, ada, eve, mia, max] = await Promise.all([onTrial, paying, stopped, member, other].map((user) => withKey(platform, user)));
  for (const who of [tom, ada, eve, mia]) await asks(platform, who, 3);
  const gone = await del(platform, `/user/api-keys/${eve.keyId}`, { token: eve.access_token });
  assert.equal(gone.status, 204, gone.text);

  await at(platform, 40 * DAY);
  // The trial is over by that clock; the refusal is written down, for its key.
  assertProblem(await chat(platform, tom.key, { headers: { 'idempotency-key': randomUUID() } }), 402, 'trial_expired');
  for (const who of [ada, mia, max]) await asks(platform, who, 2);
  assert.equal(await used(platform, ada), 2, 'by that clock it is another month');

  await at(platform, 0);
  await asks(platform, tom);
  assert.equal(await used(platform, tom), 4);
  assert.equal(await used(platform, ada), 5);
  await asks(platform, ada);
  await asks(platform, mia);
  await asks(platform, max);
  assert.equal(await used(platform, mia), 9, "the team's");
  assert.equal((await chat(platform, eve.key)).status, 401, 'what was stopped stays stopped');
  for (const who of [tom, ada, mia, max]) await assertSound(platform, who);
  assert.equal((await logs(platform, ada.key)).length, 6, 'the copies go on');
});

test('a leap that lasts is believed until an operator says that the clock is right', async (t) => {
  const platform = await withPlatform({ test: t, env: { OPERATOR_TOKEN: OPERATOR } });
  const [, member] = await makeTeam(platform, { members: 2, limits: LIMITS });
  const [onTrial] = [await register(platform)];
  const [tom, mia] = await Promise.all([onTrial, member].map((user) => withKey(platform, user)));
  for (const who of [tom, mia]) await asks(platform, who, 3);

  for (const seconds of [40 * DAY, 40 * DAY + 12 * HOUR, 41 * DAY]) {
    await at(platform, seconds);
    assertProblem(await chat(platform, tom.key, { headers: { 'idempotency-key': randomUUID() } }), 402, 'trial_expired');
    await asks(platform, mia);
  }
  await at(platform, 0);
  assertProblem(await chat(platform, tom.key), 402, 'trial_expired');

  const run = await post(platform, '/admin/jobs/return_to_clock/run', undefined, { headers: bearer(OPERATOR) });
  assert.deepEqual([run.status, run.data.ok, run.data.outcome], [200, true, 'done'], run.text);
  await asks(platform, tom);
  await asks(platform, mia);
  assert.equal(await used(platform, tom), 4);
  assert.ok(await used(platform, mia) >= 4, 'what is known to have been used counts');
  for (const who of [tom, mia]) await assertSound(platform, who);
  const again = await post(platform, '/admin/jobs/return_to_clock/run', undefined, { headers: bearer(OPERATOR) });
  assert.equal(again.data.outcome, 'done', 'a second run does nothing');
  const { data } = await get(platform, '/admin/jobs?name=return_to_clock', { headers: bearer(OPERATOR) });
  assert.deepEqual(data.data.map(({ started_by: by, outcome }) => [by, outcome]), [['operator', 'done'], ['operator', 'done']]);
});
