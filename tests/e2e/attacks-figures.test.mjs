// A provider's figures that cannot be true, in every place and spelling: each once, then all of them from ten users at once, then all of
// them within a team. Afterwards everybody's next ordinary call is answered, the quota counts what may be true, the copies in the database
// go on, and what the team has left can be used by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendAlone, startTable } from '../harness/attack.mjs';
import { chat, get, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { makeTeam } from '../harness/team.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const TEAM_TOKENS = 4_000_000;
/** "Hello there." and the question before it: what the estimate makes of them is less than this. */
const SMALL = 200;

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const [, ...members] = await makeTeam(platform, { members: 11, limits: { requests: { hard: 100_000 }, tokens: { hard: TEAM_TOKENS } } });
const users = [];
for (let n = 0; n < 11; n++) users.push(await register(platform));
await platform.restart({ whileStopped: () => subscribe(platform.stateDir, users.map(({ user }) => ({ user, limits: { requests: { hard: 100_000 }, tokens: { hard: 10_000_000 } } }))) });
upstream.answers('ordinary', ({ json }) => json(200, openai.completion('Yes.')));

/** Written as they come: JavaScript has no such numbers. */
const raw = (value) => JSON.stringify(value).replaceAll(/"<([^>]*)>"/g, '$1');
const ABSURD = { '2^64-1': '<18446744073709551615>', '2^64': '<18446744073709551616>', '2^63': '<9223372036854775808>', '2^53+1': '<9007199254740993>', '2^32': '<4294967296>', negative: -5, '-2^63': '<-9223372036854775808>', '1e300': '<1e300>', 'a half': 1200.5, 'a word': 'many', 'a list': [7] };

const sse = (...values) => values.map((value) => `data: ${raw(value)}\n\n`);
const chunk = (more) => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], ...more });
const [hello, finish] = [openai.text('Hello there.'), openai.finish()];
/** An answer in OpenAI's words: whole, or streamed with the usage in these chunks. */
const whole = (usage) => ({ provider: 'openai', answer: ({ json }) => json(200, raw({ ...openai.completion('Hello there.'), usage })) });
const streamed = (...frames) => ({ provider: 'openai', answer: ({ stream }) => stream(frames) });
const claude = (usage) => ({ provider: 'anthropic', answer: ({ json }) => json(200, raw({ ...anthropic.message([{ type: 'text', text: 'Hello there.' }]), usage })) });
const google = (usageMetadata) => ({ provider: 'gemini', answer: ({ json }) => json(200, raw({ ...gemini.response([[{ text: 'Hello there.' }]]), usageMetadata })) });

/** What a provider says, and what of it is charged: exactly so much, or little. */
const CASES = [];
const add = (name, { provider, answer }, charged = undefined) => {
  const model = `figures-${CASES.length}`;
  upstream.answers(model, answer);
  CASES.push({ name, model: `${provider}/${model}`, stream: /stream/.test(name), charged });
};
for (const [name, odd] of Object.entries(ABSURD)) {
  add(`${name} as the prompt`, whole({ prompt_tokens: odd, completion_tokens: 7, total_tokens: 18 }));
  add(`${name} as the answer`, whole({ prompt_tokens: 11, completion_tokens: odd, total_tokens: 18 }));
  add(`${name} as the total`, whole({ prompt_tokens: 11, completion_tokens: 7, total_tokens: odd }), 18);
  add(`${name} everywhere`, whole({ prompt_tokens: odd, completion_tokens: odd, total_tokens: odd }));
  add(`${name} of the cache and of thoughts`, whole({ prompt_tokens: 11, completion_tokens: 7, total_tokens: 18, prompt_tokens_details: { cached_tokens: odd }, completion_tokens_details: { reasoning_tokens: odd } }), 18);
  add(`${name}, streamed`, streamed(hello, finish, ...sse(chunk({ usage: { prompt_tokens: odd, completion_tokens: odd, total_tokens: odd } })), openai.done()));
  add(`${name} of Anthropic's`, claude({ input_tokens: odd, output_tokens: odd, cache_read_input_tokens: odd, cache_creation_input_tokens: odd }));
  add(`${name} of Gemini's`, google({ promptTokenCount: odd, candidatesTokenCount: odd, thoughtsTokenCount: odd, totalTokenCount: odd }));
}
// Beyond a double: a reader of JSON takes none of it, so all is estimated.
add('1e400 as the total', whole({ prompt_tokens: 11, completion_tokens: 7, total_tokens: '<1e400>' }));
add('1e400, streamed', streamed(hello, finish, ...sse(chunk({ usage: { prompt_tokens: 11, completion_tokens: '<1e400>' } })), openai.done()));
add('1200.0', whole({ prompt_tokens: '<1200.0>', completion_tokens: '<7.0>', total_tokens: '<1207.0>' }), 1_207);
add('1.2e3', whole({ prompt_tokens: '<1.2e3>', completion_tokens: 7, total_tokens: 1_207 }), 1_207);
add('"1200"', whole({ prompt_tokens: '1200', completion_tokens: '7' }), 1_207);
add('a total above its parts', whole({ prompt_tokens: 32, completion_tokens: 9, total_tokens: 135 }), 135);
add('a total alone', whole({ total_tokens: 135 }), 135);
add('a total of 0', whole({ prompt_tokens: 32, completion_tokens: 9, total_tokens: 0 }), 41);
add('no usage', whole(undefined));
add('usage of nothing', whole({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }));
const counted = (prompt_tokens, completion_tokens) => chunk({ usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } });
add('running counts, streamed', streamed(...[1, 2, 3].flatMap((n) => [hello, ...sse(counted(9, n * 833))]), finish, ...sse(counted(9, 2_500)), openai.done()), 2_509);
add('a later 0 that unsays it, streamed', streamed(hello, ...sse(counted(9, 2_500)), finish, ...sse(counted(0, 0)), openai.done()), 2_509);
add('a later 2^64-1, streamed', streamed(hello, ...sse(counted(9, 2_500)), finish, ...sse(chunk({ usage: { prompt_tokens: ABSURD['2^64-1'], completion_tokens: ABSURD['2^64-1'] } })), openai.done()), 2_509);
add('an earlier 2^64-1, streamed', streamed(hello, ...sse(chunk({ usage: { prompt_tokens: ABSURD['2^64-1'], completion_tokens: ABSURD['2^64-1'] } })), finish, ...sse(counted(9, 2_500)), openai.done()), 2_509);
add('counts after the finish, streamed', streamed(hello, finish, ...sse(chunk({})), ...sse(counted(9, 2_500)), openai.done()), 2_509);
add('counts of Gemini after its STOP, streamed', { provider: 'gemini', answer: ({ stream }) => stream([gemini.text('Hello there.'), gemini.finish(), gemini.frame({ usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 500, thoughtsTokenCount: 2_000, totalTokenCount: 2_509 } })]) }, 2_509);
for (const [name, usage, charged] of [
  ['in OpenAI\'s details', { prompt_tokens: 9, completion_tokens: 2_500, completion_tokens_details: { reasoning_tokens: 2_400 } }, 2_509],
  ['beside all', { prompt_tokens: 9, completion_tokens: 2_500, reasoning_tokens: 2_400 }, 2_509],
  ['beside the answer, without a total', { prompt_tokens: 9, completion_tokens: 100, completion_tokens_details: { reasoning_tokens: 2_400 } }, 2_509],
  ['in the total alone', { prompt_tokens: 9, completion_tokens: 100, total_tokens: 2_509, completion_tokens_details: { reasoning_tokens: 2_400 } }, 2_509],
  ['in the details of the output', { input_tokens: 9, output_tokens: 2_500, output_tokens_details: { reasoning_tokens: 2_400 } }, 2_509],
  ['as thinking in the details of the output', { input_tokens: 9, output_tokens: 2_500, output_tokens_details: { thinking_tokens: 2_400 } }, 2_509],
]) {
  add(`thoughts ${name}`, whole(usage), charged);
}
add('thoughts beside the candidates', google({ promptTokenCount: 9, candidatesTokenCount: 100, thoughtsTokenCount: 2_400, totalTokenCount: 2_509 }), 2_509);
add('thoughts of Gemini in the total alone', google({ promptTokenCount: 9, candidatesTokenCount: 100, totalTokenCount: 2_509 }), 2_509);

const ask = (user, { model, stream }) => sendAlone(platform, user.access_token, JSON.stringify({ model, stream, max_tokens: 3_000, messages: [{ role: 'user', content: 'Say hello.' }] }));
const ordinary = async (user, more) => {
  const answer = await chat(platform, user.access_token, { model: 'openai/ordinary', max_tokens: 100, ...more });
  assert.equal(answer.status, 200, `the next ordinary call: ${answer.text}`);
};
/** What all of it comes to at least and at most, with an ordinary call of 18 tokens. */
const [LEAST, MOST] = [CASES.reduce((sum, { charged }) => sum + (charged ?? 1), 18), CASES.reduce((sum, { charged }) => sum + (charged ?? SMALL), 18)];
/** What the database must have of each user in the end: copies are made once a minute. */
const copies = [];
const isToBeCopied = (user, requests, tokens) => copies.push({ user, requests, tokens });
async function assertSound(user) {
  const { data, text } = await get(platform, '/usage/ledger/verify', { token: user.access_token });
  assert.deepEqual([data?.ok, data?.broken_at], [true, null], text);
}

test(`each of ${CASES.length} figures once: no more is charged than may be true, and the next call is answered`, async (t) => {
  const [user] = users;
  const table = startTable('the provider says', 'charged', 'estimated');
  let sum = 0;
  for (const { name, model, stream, charged } of CASES) {
    const answer = await ask(user, { model, stream });
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    const { tokens, requests } = await settledQuota(platform, user.access_token);
    const row = tokens.used - sum;
    sum = tokens.used;
    if (charged === undefined) assert.ok(row >= 2 && row < SMALL, `${name}: ${row} are charged`);
    else assert.equal(row, charged, name);
    assert.equal(tokens.remaining, 10_000_000 - sum);
    assert.ok(requests.used > 0);
  }
  await ordinary(user);
  const { tokens } = await settledQuota(platform, user.access_token);
  assert.equal(tokens.used, sum + 18);
  const rows = new Map((await logs(platform, user.access_token)).map((row) => [row.model, row]));
  for (const { name, model } of CASES) table.row(name, rows.get(model).tokens, rows.get(model).estimated);
  table.print(t);
  isToBeCopied(user, CASES.length + 1, tokens.used);
  await assertSound(user);
});

test('all of them at once from ten users: none is locked out, and the same is charged for the same', async (t) => {
  const ten = users.slice(1);
  const answers = await Promise.all(ten.flatMap((user) => CASES.map((one) => ask(user, one))));
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  await Promise.all(ten.map((user) => ordinary(user)));
  const used = [];
  for (const user of ten) {
    const { tokens, requests } = await settledQuota(platform, user.access_token, 30_000);
    assert.equal(requests.used, CASES.length + 1);
    assert.ok(tokens.used >= LEAST && tokens.used <= MOST, `${tokens.used} of ${LEAST} to ${MOST}`);
    assert.equal(tokens.remaining, 10_000_000 - tokens.used);
    used.push(tokens.used);
  }
  assert.equal(new Set(used).size, 1, `the same is charged for the same: ${used}`);
  for (const [n, user] of ten.entries()) {
    isToBeCopied(user, CASES.length + 1, used[n]);
    await assertSound(user);
  }
  t.diagnostic(`${answers.length} answers at once; ${used[0]} tokens charged to each of ten users, between ${LEAST} and ${MOST}`);
});

test('all of them at once from ten members of a team: the pool counts what may be true, and one can use what is left', async (t) => {
  const answers = await Promise.all(members.flatMap((member) => CASES.map((one) => ask(member, one))));
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  await Promise.all(members.map((member) => ordinary(member)));
  // What the members have in their logs is what the pool counts, once they have reported.
  const rows = await eventually('all rows', async () => {
    const all = (await Promise.all(members.map(({ access_token: token }) => logs(platform, token)))).flat();
    return all.length === 10 * (CASES.length + 1) && all;
  }, 60_000);
  const sum = rows.reduce((total, { tokens }) => total + tokens, 0);
  assert.ok(sum >= 10 * LEAST && sum <= 10 * MOST, `${sum}`);
  for (const member of members) await assertSound(member);
  const pool = await eventually('the pool counts all of it', async () => {
    const { tokens } = await quota(platform, members[0].access_token);
    return tokens.used >= sum && tokens;
  }, 60_000);
  t.diagnostic(`${answers.length} answers at once; ${sum} tokens charged of ${TEAM_TOKENS}; the pool: ${JSON.stringify(pool)}`);
  assert.equal(pool.used, sum);
  // What is leased to others and idle is called back: one member can have all that is left.
  const left = TEAM_TOKENS - sum;
  await ordinary(members[3], { max_tokens: left - 1_000 });
  await ordinary(members[7], { max_tokens: left - 1_000 });
  for (const member of members) await ordinary(member);
  isToBeCopied(members[3], CASES.length + 3, rows.filter(({ user_id: id }) => id === members[3].user.id).reduce((total, { tokens }) => total + tokens, 36));
});

test('the copies go on: the database has every row of them all', async (t) => {
  for (const { user, requests, tokens } of copies) {
    await eventually(`${requests} requests and ${tokens} tokens in the database`, async () => {
      const { data } = await get(platform, '/usage/summary', { token: user.access_token });
      return data.total.requests === requests && data.total.tokens === tokens;
    }, 120_000);
  }
  t.diagnostic(`${copies.reduce((sum, { requests }) => sum + requests, 0)} rows of ${copies.length} users`);
});

test('nothing panicked, and the log tells of no error', () => {
  platform.assertNoPanic();
  assert.deepEqual(platform.log.filter((line) => /"level":"error"/.test(line)), []);
});
