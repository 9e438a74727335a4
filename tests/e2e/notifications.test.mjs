// Mails: which come, how they are switched off, and that each comes once, however often it is carried.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, bearer, call, chat, get, post, register } from '../harness/http.mjs';
import { withDatabase } from '../harness/database.mjs';
import { mailsTo, tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startResend } from '../harness/resend.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually } from '../harness/usage.mjs';

const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const operator = { headers: bearer(OPERATOR_TOKEN) };
const upstream = await startUpstream();
const platform = await withPlatform({ env: { ...upstream.env, OPERATOR_TOKEN } });
upstream.answers('big', ({ seen, json }) => {
  const tokens = Number(/\d+/.exec(seen.body.messages.at(-1).content)[0]);
  json(200, openai.completion('A lot.', { prompt_tokens: 10, completion_tokens: tokens - 10, total_tokens: tokens }));
});
const burn = async (user, tokens) => {
  const answer = await chat(platform, user.access_token, { model: 'openai/big', content: `Take ${tokens} tokens`, max_tokens: Math.min(tokens, 1_000) });
  assert.equal(answer.status, 200, answer.text);
};
const prefer = (user, body) => call(platform, 'PUT', '/user/notifications', { token: user.access_token, body });
const oneClick = (link, body = 'List-Unsubscribe=One-Click') => post('', link, body, { headers: { 'content-type': 'application/x-www-form-urlencoded' } });

test('a confirmed address is welcomed, once', async () => {
  const user = await register(platform);
  const [mail] = await waitForMails(platform, user.email, 'verify_email');
  const token = tokenOf(mail);
  assert.equal((await post(platform, '/auth/verify-email', { token })).status, 204);
  const [welcome] = await waitForMails(platform, user.email, 'welcome');
  assert.equal(welcome.unsubscribe, undefined, 'it comes once anyway');
  assertProblem(await post(platform, '/auth/verify-email', { token }), 422);
  await sleep(1_500);
  assert.equal((await mailsTo(platform, user.email, 'welcome')).length, 1);
});

test('a limit that comes near is told at 80, 90 and 100 %, once each', async () => {
  const [user, hasty, greedy] = [await register(platform), await register(platform), await register(platform)];
  // A mark comes with the rows of its ledger: those that follow others by a moment may take a minute.
  const warnings = ({ email }, count) =>
    eventually(`${count} warnings`, async () => {
      const mails = await mailsTo(platform, email, 'quota_warning');
      return mails.length >= count && mails;
    }, 75_000);
  await burn(user, 41_000);
  const [at80] = await warnings(user, 1);
  assert.match(at80.subject, /80% of your tokens/);
  assert.match(at80.text, /Of 50000 tokens .* you used 41000/);
  // Several shares at once: the largest is told.
  await Promise.all([burn(user, 100), burn(hasty, 46_000), burn(greedy, 50_000)]);
  await burn(user, 4_500);
  const [[at90], [only90], [at100]] = await Promise.all([warnings(user, 2), warnings(hasty, 1), warnings(greedy, 1)]);
  assert.match(at90.subject, /90%/);
  assert.match(only90.subject, /90%/);
  assert.match(at100.subject, /100%/);
  assert.match(at100.text, /is refused/);
  await sleep(2_500);
  const counts = [user, hasty, greedy].map(async ({ email }) => (await mailsTo(platform, email, 'quota_warning')).length);
  assert.deepEqual(await Promise.all(counts), [2, 1, 1]);
});

test('what is wanted: read, put, kept; security and money are not in it', async () => {
  const user = await register(platform);
  const read = async () => (await get(platform, '/user/notifications', { token: user.access_token })).data;
  assert.deepEqual(await read(), { reminders: true, quota_warnings: true, summary: true });
  assert.deepEqual((await prefer(user, { summary: false })).data, { reminders: true, quota_warnings: true, summary: false });
  assert.deepEqual((await prefer(user, { reminders: false, summary: true })).data, { reminders: false, quota_warnings: true, summary: true });
  assert.deepEqual(await read(), { reminders: false, quota_warnings: true, summary: true });
  for (const name of ['security', 'billing', 'receipts']) {
    const problem = assertProblem(await prefer(user, { [name]: false }), 422, 'invalid_input');
    assert.equal(problem.errors[0].field, name);
  }
  assertProblem(await get(platform, '/user/notifications'), 401);
});

test('one click in a mail switches its kind off, and looking at the link does not', async (t) => {
  const user = await register(platform);
  await burn(user, 41_000);
  const [mail] = await waitForMails(platform, user.email, 'quota_warning');
  const link = mail.unsubscribe;
  assert.ok(mail.text.includes(link), 'the link stands in the text, too');
  const wanted = async () => (await get(platform, '/user/notifications', { token: user.access_token })).data;

  await t.test('a program that opens every link switches nothing off', async () => {
    const page = await get('', link);
    assert.equal(page.status, 200);
    assert.match(page.text, /<form method="post">/);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    assert.equal((await wanted()).quota_warnings, true);
  });
  await t.test('a link that was not signed here is none', async () => {
    const token = new URL(link).searchParams.get('token');
    const other = await register(platform);
    const uuid = (id) => id.slice(id.indexOf('_') + 1);
    for (const forged of ['', 'x', token.slice(0, -1), `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`, token.replace('quota_warnings', 'reminders'), token.replace(uuid(user.user.id), uuid(other.user.id)), token.replace(uuid(user.tenant.id), uuid(other.tenant.id))]) {
      for (const method of ['GET', 'POST']) assertProblem(await call(platform, method, `/user/notifications/unsubscribe?token=${encodeURIComponent(forged)}`), 404, 'not_found');
    }
    assert.equal((await wanted()).quota_warnings, true);
  });
  await t.test('the click does, once and again', async () => {
    for (let n = 0; n < 2; n++) assert.equal((await oneClick(link)).status, 200);
    assert.deepEqual(await wanted(), { reminders: true, quota_warnings: false, summary: true });
    await burn(user, 5_000);
    await sleep(3_000);
    assert.equal((await mailsTo(platform, user.email, 'quota_warning')).length, 1, 'no more of its kind');
  });
  await t.test('what is about safety still comes', async () => {
    await prefer(user, { reminders: false, quota_warnings: false, summary: false });
    assert.equal((await post(platform, '/auth/forgot-password', { email: user.email })).status, 204);
    const [reset] = await waitForMails(platform, user.email, 'reset_password');
    assert.equal(reset.unsubscribe, undefined);
  });
});

test('carried by somebody who fails: tried again, never twice, given up, sent again by the operator', async (t) => {
  const resend = await startResend();
  const carried = await withPlatform({ env: { ...resend.env, ...upstream.env, OPERATOR_TOKEN } });
  const to = (email) => resend.asked.filter(({ mail }) => mail.to[0] === email);
  const accepted = (email) => [...resend.accepted.values()].filter((mail) => mail.to[0] === email);
  const failed = async () => (await get(carried, '/admin/mails?status=failed', operator)).data.data;

  await t.test('a 500, then a line that breaks after the mail was taken, then it works: one mail', async () => {
    resend.next(500, 'lost');
    const user = await register(carried);
    await eventually('it was asked for three times', () => to(user.email).length >= 3, 40_000);
    await sleep(1_500);
    assert.equal(to(user.email).length, 3);
    assert.equal(new Set(to(user.email).map(({ key }) => key)).size, 1, 'under one key');
    assert.equal(accepted(user.email).length, 1);
    assert.deepEqual([to(user.email)[0].path, to(user.email)[0].authorization], ['/emails', 'Bearer re_test_0123456789']);
    assert.equal(to(user.email)[0].mail.headers, undefined, 'a mail about safety cannot be switched off');
    assert.deepEqual(await failed(), []);
  });

  const user = await register(carried);
  await eventually('the first mail has left', () => accepted(user.email).length === 1);
  await t.test('one that is refused is given up at once, and an operator sees it', async () => {
    resend.next(422);
    const answer = await chat(carried, user.access_token, { model: 'openai/big', content: 'Take 41000 tokens', max_tokens: 1_000 });
    assert.equal(answer.status, 200, answer.text);
    const [mail] = await eventually('it was given up', async () => ((await failed()).length > 0 ? failed() : undefined), 20_000);
    assert.deepEqual([mail.kind, mail.to, mail.attempts, mail.replayable, mail.error], ['quota_warning', user.email, 1, true, 'Resend answers 422']);
    assert.equal(mail.tenant_id, user.tenant.id);
    const warned = to(user.email).filter(({ mail: { subject } }) => /80%/.test(subject));
    assert.equal(warned.length, 1, 'it is not tried again by itself');
    assert.match(warned[0].mail.headers['List-Unsubscribe'], /^<http:\/\/.*\/user\/notifications\/unsubscribe\?token=tgu_.*>$/);
    assert.equal(warned[0].mail.headers['List-Unsubscribe-Post'], 'List-Unsubscribe=One-Click');
    assert.equal(warned[0].mail.from, resend.env.MAIL_FROM);
  });
  await t.test('what was given up is sent again once it is asked for, and once', async () => {
    const [{ tenant_id, event }] = await failed();
    const replay = () => post(carried, '/admin/mails/replay', { tenant_id, event }, operator);
    assertProblem(await post(carried, '/admin/mails/replay', { tenant_id, event }), 401);
    const answers = await Promise.all([replay(), replay(), replay()]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 404, 404]);
    await eventually('it was taken', () => accepted(user.email).some(({ subject }) => /80%/.test(subject)), 20_000);
    await eventually('nothing is left', async () => (await failed()).length === 0);
    assertProblem(await replay(), 404, 'not_found');
    await sleep(1_500);
    assert.equal(to(user.email).filter(({ mail }) => /80%/.test(mail.subject)).length, 2);
  });
  await t.test('asked for again, as a queue or a second run may: not sent again', async () => {
    const ended = () => accepted(user.email).filter(({ subject }) => subject === 'Your trial has ended');
    const forget = (database) => {
      database.prepare('UPDATE subscriptions SET trial_started_at = ?, trial_ends_at = ? WHERE user_id = ?').run(Date.now() - 8 * 86_400_000, Date.now() - 60_000, user.user.id);
      database.exec("DELETE FROM job_states WHERE name = 'remind_trials'");
    };
    for (let n = 0; n < 3; n++) {
      await carried.restart({ whileStopped: () => withDatabase(carried.stateDir, forget) });
      const { data } = await call(carried, 'POST', '/admin/jobs/remind_trials/run', operator);
      assert.ok(data.ok && data.done >= 1, JSON.stringify(data));
      await eventually('it was taken', () => ended().length === 1, 20_000);
      await sleep(2_000);
    }
    assert.equal(to(user.email).filter(({ mail }) => mail.subject === 'Your trial has ended').length, 1, 'it was not even asked for again');
  });
  carried.assertNoPanic();
});

test('nothing panicked', () => platform.assertNoPanic());
