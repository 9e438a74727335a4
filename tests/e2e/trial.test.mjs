// Trials: one for each person, to the instant, told before and after; nothing of it needs a job to run in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, bearer, call, chat, freshEmail, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { mailsTo, tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';

const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const DAY_S = 86_400;
const upstream = await startUpstream();
const platform = await withPlatform({ env: { ...upstream.env, OPERATOR_TOKEN } });
upstream.answers('small', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })));

const statusOf = async ({ access_token: token }) => (await get(platform, '/user/trial-status', { token })).data;
const ask = (token, more = {}) => chat(platform, token, { model: 'openai/small', max_tokens: 20, ...more });
const signIn = async (user) => (await post(platform, '/auth/login', { email: user.email, password: user.password })).data;
const runJob = async (name) => {
  const { status, data, text } = await call(platform, 'POST', `/admin/jobs/${name}/run`, { headers: bearer(OPERATOR_TOKEN) });
  assert.equal(status, 200, text);
  return data;
};
const runs = async () => (await get(platform, '/admin/jobs?limit=100', { headers: bearer(OPERATOR_TOKEN) })).data.data;

const SPELLINGS = [
  'ada.lovelace@gmail.com',
  'adalovelace@gmail.com',
  'a.da.lovelace@Gmail.com',
  'a.d.a.l.o.v.e.l.a.c.e@gmail.com',
  'ada.lovelace+trial2@gmail.com',
  'adalovelace+x+y@gmail.com',
  'adalovelace@googlemail.com',
  'Ada.Lovelace+z@GoogleMail.com',
  'ada.lovelace@gm\u{430}il.com',
  'adalovelace+10@xn--gmil-63d.com',
];

test('the same person in ten spellings at once gets one trial', async (t) => {
  const people = await Promise.all(SPELLINGS.map((email) => register(platform, { email })));
  const statuses = await Promise.all(people.map(statusOf));
  const lucky = statuses.findIndex(({ status }) => status === 'trialing');
  assert.deepEqual(statuses.map(({ status }) => status).sort(), [...Array(9).fill('expired'), 'trialing']);

  await t.test('the others have an account without one, and are told why and where to go', async () => {
    for (const [at, status] of statuses.entries()) {
      const answer = await ask(people[at].access_token);
      if (at === lucky) {
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers.get('x-tollgate-trial-ends-at'), status.trial_ends_at, 'every metered answer says until when');
        const stream = await ask(people[at].access_token, { stream: true });
        assert.equal(stream.headers.get('x-tollgate-trial-ends-at'), status.trial_ends_at);
        continue;
      }
      assert.match(assertProblem(answer, 402, 'trial_expired').upgrade_url, /^http:\/\//);
      assert.match(status.message, /one for each person/);
      assert.equal(status.days_remaining, 0);
      assert.equal((await get(platform, '/user/profile', { token: people[at].access_token })).status, 200);
    }
  });
  await t.test('one after the other it is the same, and signing in again changes nothing', async () => {
    const late = await register(platform, { email: 'adalovelace+late@gmail.com' });
    assert.equal((await statusOf(late)).status, 'expired');
    const again = await signIn(people[lucky]);
    assert.equal((await statusOf(again)).status, 'trialing');
  });
  await t.test('another account of the same person that confirms its address takes the trial over, once', async () => {
    const confirm = async (who, email) => {
      const [mail] = await waitForMails(platform, email, 'verify_email');
      assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(mail) }, { token: who.access_token })).status, 204);
    };
    const [first, second] = [0, 1, 2].filter((at) => at !== lucky);
    await confirm(people[first], people[first].user.email);
    assert.equal((await statusOf(people[first])).status, 'trialing');
    assert.equal((await ask(people[first].access_token)).status, 200, 'the meter knows');
    await confirm(people[second], people[second].user.email);
    assert.equal((await statusOf(people[second])).status, 'expired');
    // The one that had begun it ends when its own spelling is confirmed, too.
    await confirm(people[lucky], people[lucky].user.email);
    assert.equal((await statusOf(people[lucky])).status, 'expired');
    assertProblem(await ask(people[lucky].access_token), 402, 'trial_expired');
  });
  await t.test('another product has a trial of its own, and strangers have theirs', async () => {
    const gmail = await register(platform, { email: 'adalovelace+mail@gmail.com', product: 'gmail' });
    assert.equal((await statusOf(gmail)).status, 'trialing');
    for (const email of ['ada.lovelace@example.com', 'adalovelace@example.com', 'ada.l@gmail.com']) {
      assert.equal((await statusOf(await register(platform, { email }))).status, 'trialing', email);
    }
  });
  await t.test('what is remembered names nobody, and stays when the account is gone', async () => {
    await platform.restart({
      whileStopped: () =>
        withDatabase(platform.stateDir, (database) => {
          const claims = database.prepare('SELECT * FROM trial_claims').all();
          assert.ok(claims.length >= 5);
          const text = JSON.stringify(claims);
          for (const { user, tenant, email } of people) {
            for (const secret of [user.id, tenant.id, email, 'lovelace', 'gmail']) assert.ok(!text.includes(secret), secret);
          }
          // As a deletion leaves it: every row that has the tenant is gone.
          const tables = database.prepare("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'tenant_id' WHERE m.type = 'table'").all();
          for (const { name } of tables) database.prepare(`DELETE FROM ${name} WHERE tenant_id = ?`).run(people[lucky].tenant.id);
        }),
    });
    const back = await register(platform, { email: SPELLINGS[lucky] });
    assert.equal((await statusOf(back)).status, 'expired');
  });
});

test('a registration that fails claims nothing', async () => {
  const email = 'grace.hopper@gmail.com';
  assertProblem(await post(platform, '/auth/register', { email, password: 'short' }), 422);
  const first = await register(platform, { email });
  assert.equal((await statusOf(first)).status, 'trialing');
  assertProblem(await post(platform, '/auth/register', { email, password: first.password }), 409, 'email_taken');
  assert.equal((await statusOf(first)).status, 'trialing');
});

test('the end of a trial is told three days before, one day before and when it is there: once each', async (t) => {
  const [user, silent, paying] = [await register(platform), await register(platform), await register(platform)];
  const put = await call(platform, 'PUT', '/user/notifications', { token: silent.access_token, body: { reminders: false } });
  assert.deepEqual(put.data, { reminders: false, quota_warnings: true, summary: true });
  const { trial_ends_at } = await statusOf(user);
  const end = Date.parse(trial_ends_at);
  const at = (secondsFromEnd, whileStopped) => platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(Math.round((end - Date.now()) / 1000) + secondsFromEnd) }, whileStopped });

  await t.test('before that, nothing', async () => {
    await at(-3 * DAY_S - 3600, () => subscribe(platform.stateDir, [{ user: paying.user }]));
    await runJob('remind_trials');
    await sleep(1_500);
    assert.deepEqual(await mailsTo(platform, user.email, 'trial_ending'), []);
  });
  for (const [seconds, kind, count, words] of [
    [-3 * DAY_S + 60, 'trial_ending', 1, /3 days|3 begun|three/i],
    [-DAY_S + 60, 'trial_ending', 2, /one day/],
    [60, 'trial_ended', 1, /Nothing was deleted/],
  ]) {
    await t.test(`${seconds / DAY_S} days from the end: ${kind}`, async () => {
      await at(seconds);
      const first = await runJob('remind_trials');
      assert.ok(first.ok && first.done >= 1, JSON.stringify(first));
      const mails = await waitForMails(platform, user.email, kind, count);
      assert.match(mails[0].text, words);
      assert.match(mails[0].text, /\/subscription\/plans/);
      assert.match(mails[0].unsubscribe, /\/user\/notifications\/unsubscribe\?token=tgu_/);
      // By its expression, too, and again: nothing is due any more.
      const again = await post(platform, '/__dev/cron', { cron: '10 * * * *' });
      assert.deepEqual([again.data.job, again.data.outcome, again.data.done], ['remind_trials', 'done', 0]);
      await sleep(1_500);
      assert.equal((await mailsTo(platform, user.email, kind)).length, count);
    });
  }
  await t.test('who switched it off, who pays, and who had none before are told nothing', async () => {
    for (const kind of ['trial_ending', 'trial_ended']) {
      for (const email of [silent.email, paying.email, 'adalovelace+late@gmail.com']) assert.deepEqual(await mailsTo(platform, email, kind), [], email);
    }
  });
  await platform.restart({ env: { CLOCK_OFFSET_SECONDS: '' } });
});

test('a trial ends at the instant though no job has run, and what is in flight is finished', async () => {
  const quiet = await withPlatform({ env: { ...upstream.env, OPERATOR_TOKEN } });
  const user = await register(quiet);
  const { data: trial } = await get(quiet, '/user/trial-status', { token: user.access_token });
  const end = Date.parse(trial.trial_ends_at);
  const offset = Math.floor((end - Date.now()) / 1000) - 12;
  await quiet.restart({ env: { CLOCK_OFFSET_SECONDS: String(offset) } });
  const { data: signedIn } = await post(quiet, '/auth/login', { email: user.email, password: user.password });
  const token = signedIn.access_token;
  const now = () => Date.now() + offset * 1000;
  const slow = Promise.withResolvers();
  upstream.answers('slow', async ({ json }) => {
    await slow.promise;
    json(200, openai.completion('Late, but whole.', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
  });
  const question = (model) => chat(quiet, token, { model, max_tokens: 20 });

  const inFlight = question('openai/slow');
  await sleep(Math.max(0, end - 1_000 - now()));
  const before = await question('openai/small');
  assert.ok(now() < end, 'this machine is too slow for this test');
  assert.equal(before.status, 200, before.text);
  await sleep(end + 1_000 - now());
  assertProblem(await question('openai/small'), 402, 'trial_expired');
  slow.resolve();
  const finished = await inFlight;
  assert.equal(finished.status, 200, finished.text);
  assert.equal(finished.data.choices[0].message.content, 'Late, but whole.');
  // Nothing is deleted, and no job had a hand in it.
  assert.equal((await get(quiet, '/user/profile', { token })).status, 200);
  const history = await get(quiet, '/admin/jobs', { headers: bearer(OPERATOR_TOKEN) });
  assert.deepEqual(history.data.data, []);
  quiet.assertNoPanic();
});

test('the history has each run, and nothing panicked', async () => {
  const names = (await runs()).map(({ name }) => name);
  assert.ok(names.filter((name) => name === 'remind_trials').length >= 7, names.join());
  assert.equal((await register(platform, { email: freshEmail() })).token_type, 'Bearer');
  platform.assertNoPanic();
});
