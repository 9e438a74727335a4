// What runs by the clock: one run at a time, in steps that are remembered, bounded, written down; killed and gone on with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDatabase, withDatabase } from '../harness/database.mjs';
import { assertProblem, bearer, call, chat, get, post, register } from '../harness/http.mjs';
import { waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { eventually } from '../harness/usage.mjs';

const OPERATOR_TOKEN = 'op_0123456789abcdef0123456789';
const DAY_MS = 86_400_000;
const operator = { headers: bearer(OPERATOR_TOKEN) };
const upstream = await startUpstream();
const platform = await withPlatform({ env: { ...upstream.env, OPERATOR_TOKEN } });
upstream.answers('gpt-4o-mini', ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 })));

const history = async (query = '') => {
  const { status, data, text } = await get(platform, `/admin/jobs${query}`, operator);
  assert.equal(status, 200, text);
  return data;
};
const run = (name, by = operator) => call(platform, 'POST', `/admin/jobs/${name}/run`, by);
const runJob = async (name) => {
  const { status, data, text } = await run(name);
  assert.equal(status, 200, text);
  return data;
};
/** Works on the stopped platform's database; `offset` shifts the clock from then on, in seconds. */
const stopped = (work, offset) => platform.restart({ ...(offset === undefined ? {} : { env: { CLOCK_OFFSET_SECONDS: String(offset) } }), whileStopped: () => work && withDatabase(platform.stateDir, work) });
const signIn = async (user) => (await post(platform, '/auth/login', { email: user.email, password: user.password })).data.access_token;

test('jobs are the operator\'s', async () => {
  const user = await register(platform);
  for (const headers of [{}, bearer('wrong'), bearer(`${OPERATOR_TOKEN}x`), bearer(user.access_token)]) {
    assertProblem(await get(platform, '/admin/jobs', { headers }), 401, 'unauthorized');
    assertProblem(await run('clean_up', { headers }), 401, 'unauthorized');
    assertProblem(await get(platform, '/admin/mails', { headers }), 401, 'unauthorized');
  }
  assertProblem(await run('no_such_job'), 404, 'not_found');
  assertProblem(await run('5 * * * *'), 404, 'not_found');
  assertProblem(await get(platform, '/admin/jobs?name=x', operator), 404, 'not_found');
  assertProblem(await get(platform, '/admin/jobs?limit=0', operator), 400, 'bad_request');
  assertProblem(await get(platform, '/admin/jobs?cursor=x', operator), 400, 'bad_request');
});

test('without OPERATOR_TOKEN, or with one that is too short, there is nothing', async () => {
  for (const token of ['', 'short']) {
    const other = await withPlatform({ env: token ? { OPERATOR_TOKEN: token } : {} });
    for (const path of ['/admin/jobs', '/admin/mails']) assertProblem(await get(other, path, { headers: bearer(token || 'x') }), 404, 'not_found');
    await other.stop();
  }
});

test('every job twice: the second finds nothing to do, and both stand in the history', async () => {
  for (const name of ['roll_up_usage', 'rewrap_data_keys', 'sweep_billing', 'reconcile_billing', 'report_overage', 'remind_trials', 'usage_statements', 'clean_up']) {
    const first = await runJob(name);
    assert.deepEqual([first.job, first.ok, first.outcome, first.more], [name, true, 'done', false], JSON.stringify(first));
    assert.deepEqual(await runJob(name), { ...first, done: 0 });
    const { data } = await history(`?name=${name}`);
    assert.equal(data.length, 2);
    for (const { started_by, outcome, error, finished_at, started_at } of data) {
      assert.deepEqual([started_by, outcome, error], ['operator', 'done', null]);
      assert.ok(Date.parse(finished_at) >= Date.parse(started_at));
    }
  }
  const page = await history('?limit=5');
  assert.equal(page.data.length, 5);
  const next = await history(`?limit=100&cursor=${page.next_cursor}`);
  const ids = [...page.data, ...next.data].map(({ id }) => id);
  assert.deepEqual(ids, ids.toSorted().reverse(), 'newest first');
  assert.equal(new Set(ids).size, ids.length);
});

test('of runs at the same time one works, and the others say so', async () => {
  const answers = (await Promise.all(Array.from({ length: 8 }, () => runJob('clean_up')))).map(({ outcome }) => outcome);
  assert.ok(answers.includes('done'), answers.join());
  assert.deepEqual(answers.filter((outcome) => !['done', 'busy'].includes(outcome)), []);
  assert.ok((await history('?name=clean_up&limit=100')).data.every(({ outcome }) => outcome === 'done'));
});

test('killed in the middle, the next run goes on where it stopped: everybody is told, and once', async (t) => {
  const COUNT = 450;
  const template = await register(platform);
  const now = Date.now();
  await stopped((database) => {
    const [tenant] = database.prepare('SELECT * FROM tenants WHERE tenant_id = ?').all(template.tenant.id);
    const [user] = database.prepare('SELECT * FROM users WHERE user_id = ?').all(template.user.id);
    const [subscription] = database.prepare('SELECT * FROM subscriptions WHERE user_id = ?').all(template.user.id);
    const insert = (table, row) => {
      const names = Object.keys(row);
      database.prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => '?').join()})`).run(...Object.values(row));
    };
    database.exec('BEGIN');
    // Ids that nobody has: they end otherwise than the template's.
    const another = (id, n) => `${id.slice(0, -4)}${id.at(-4) === 'f' ? 'e' : 'f'}${String(n).padStart(3, '0')}`;
    for (let n = 0; n < COUNT; n++) {
      const ids = { tenant_id: another(tenant.tenant_id, n), user_id: another(user.user_id, n) };
      assert.notEqual(ids.tenant_id, tenant.tenant_id);
      insert('tenants', { ...tenant, tenant_id: ids.tenant_id });
      insert('users', { ...user, ...ids, email: `many-${n}@example.com` });
      insert('subscriptions', { ...subscription, ...ids, trial_started_at: now - 8 * DAY_MS, trial_ends_at: now - 60_000 + n });
    }
    // As if the last look was an hour ago.
    database.prepare("UPDATE job_states SET cursor = ? WHERE name = 'remind_trials'").run(JSON.stringify({ until: now - 3_600_000, now: null }));
    database.exec('COMMIT');
  });
  const toldUntil = (database) => {
    const { cursor } = database.prepare("SELECT cursor FROM job_states WHERE name = 'remind_trials'").get();
    const last = JSON.parse(cursor).now?.behind[0] ?? 0;
    return database.prepare("SELECT count(*) AS n FROM subscriptions WHERE user_id <> ? AND plan = 'trial' AND trial_ends_at BETWEEN ? AND ?").get(template.user.id, now - 60_000, last).n;
  };
  const running = run('remind_trials').then(({ data }) => data, () => 'cut');
  await eventually('some have been told', () => readDatabase(platform.stateDir, (database) => toldUntil(database) > 0), 30_000);
  await platform.killWorkerd();
  const cut = await running;
  t.diagnostic(`the first run: ${JSON.stringify(cut)}`);

  await t.test('while the killed run may still be alive, nobody takes its job', async () => {
    const answer = await runJob('remind_trials');
    assert.equal(answer.outcome, 'busy');
    assert.equal((await history('?name=remind_trials&limit=1')).data[0].outcome, 'running');
  });
  let told;
  await t.test('afterwards the rest is done from there, in bounded runs', async () => {
    await stopped((database) => (told = toldUntil(database)), 125);
    t.diagnostic(`killed when ${told} of ${COUNT} had been told`);
    assert.ok(told > 0 && told < COUNT - 25, `${told}: it was in the middle`);
    let done = 0;
    for (let runs = 0; ; runs++) {
      assert.ok(runs < 5, 'it comes to an end');
      const answer = await runJob('remind_trials');
      assert.ok(answer.ok && answer.done <= 20 * 25, JSON.stringify(answer));
      done += answer.done;
      if (!answer.more) break;
    }
    assert.equal(done, COUNT - told, 'who was told is not told again, and nobody is left out');
    assert.equal((await runJob('remind_trials')).done, 0);
    const { data } = await history('?name=remind_trials&limit=20');
    assert.equal(data.filter(({ outcome }) => outcome === 'lost').length, 1, JSON.stringify(data));
  });
  await t.test('and everybody of the rest gets the mail', async () => {
    // The local queue forgets what is in it when it is killed: those told before are not counted. The outbox shows 200.
    const shown = async () => (await get(platform, '/__dev/outbox')).data.data.filter(({ kind }) => kind === 'trial_ended');
    await eventually('the last one has come', async () => (await shown()).some(({ to }) => to === `many-${COUNT - 1}@example.com`), 60_000);
    await sleep(3_000);
    await stopped((database) => {
      const rows = database.prepare("SELECT recipient, count(*) AS mails, sum(sent_at IS NOT NULL) AS sent FROM mails WHERE kind = 'trial_ended' AND recipient LIKE 'many-%' GROUP BY recipient").all();
      const by = new Map(rows.map((row) => [row.recipient, row]));
      for (let n = told; n < COUNT; n++) assert.deepEqual({ ...by.get(`many-${n}@example.com`) }, { recipient: `many-${n}@example.com`, mails: 1, sent: 1 });
    });
  });
  await stopped(undefined, '');
});

test('what is old is cleared, and nothing else', async (t) => {
  const user = await register(platform);
  const now = Date.now();
  const ago = (days) => now - days * DAY_MS;
  const { tenant, user: person } = user;
  const counts = (database) =>
    Object.fromEntries(
      ['sessions', 'mail_tokens', 'mails', 'stripe_events', 'idempotent_answers', 'job_runs'].map((table) => [
        table,
        database.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${{ stripe_events: 'event_id', job_runs: 'run_id', mails: 'event', idempotent_answers: 'key_hash', sessions: 'session_id', mail_tokens: 'hash' }[table]} LIKE '%old-%'`).get().n,
      ]),
    );
  let before;
  await stopped((database) => {
    for (const [label, days] of [['old-1', 1.2], ['old-40', 40], ['old-100', 100]]) {
      database.prepare('INSERT INTO sessions (tenant_id, session_id, user_id, refresh_hash, created_at, refreshed_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)').run(tenant.id, `ses_${label}`, person.id, 'x', ago(days + 30), ago(days + 30), ago(days));
      database.prepare('INSERT INTO mail_tokens (tenant_id, user_id, kind, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)').run(tenant.id, person.id, label, label, ago(days + 3), ago(days));
      database.prepare("INSERT INTO mails (tenant_id, event, kind, recipient, created_at, sent_at, body) VALUES (?, ?, 'verify_email', 'ada@example.com', ?, ?, 'secret')").run(tenant.id, `verify ${label}`, ago(days), ago(days));
      database.prepare("INSERT INTO mails (tenant_id, event, kind, recipient, created_at, sent_at, body) VALUES (?, ?, 'trial_ended', 'ada@example.com', ?, ?, 'text')").run(tenant.id, `trial ${label}`, ago(days), ago(days));
      for (const status of ['done', 'dead']) database.prepare('INSERT INTO stripe_events (event_id, kind, received_at, status, queued_at) VALUES (?, ?, ?, ?, ?)').run(`evt_${label}_${status}`, 'x', ago(days), status, ago(days));
      database.prepare('INSERT INTO idempotent_answers (tenant_id, user_id, key_hash, fingerprint, request_id, started_at) VALUES (?, ?, ?, ?, ?, ?)').run(tenant.id, person.id, label, 'x', 'req_x', ago(days));
      database.prepare("INSERT INTO job_runs (run_id, name, started_by, started_at, finished_at, outcome, done) VALUES (?, 'clean_up', 'clock', ?, ?, 'done', 1)").run(`run_00000000-${label}`, ago(days), ago(days));
    }
    before = counts(database);
  });
  assert.deepEqual(before, { sessions: 3, mail_tokens: 3, mails: 6, stripe_events: 6, idempotent_answers: 3, job_runs: 3 });
  const first = await runJob('clean_up');
  assert.deepEqual([first.outcome, first.ok], ['done', true]);
  assert.deepEqual((await runJob('clean_up')).done, 0, 'the second time there is nothing');
  await stopped((database) => {
    assert.deepEqual(counts(database), { sessions: 1, mail_tokens: 0, mails: 5, stripe_events: 4, idempotent_answers: 0, job_runs: 2 });
    const old = database.prepare("SELECT recipient, body, sent_at FROM mails WHERE event = 'trial old-100'").get();
    assert.deepEqual([old.recipient, old.body], ['', null], 'that it was sent stays: it is never sent again');
    assert.ok(old.sent_at > 0);
    const young = database.prepare("SELECT recipient, body FROM mails WHERE event = 'trial old-40'").get();
    assert.deepEqual([young.recipient, young.body], ['ada@example.com', 'text']);
  });
  await t.test('who is signed in stays so', async () => {
    assert.equal((await get(platform, '/user/profile', { token: user.access_token })).status, 200);
  });
});

test('a month is stated once it is over for a day: kept, told, downloaded', async (t) => {
  const user = await register(platform);
  const other = await register(platform);
  for (let n = 0; n < 3; n++) assert.equal((await chat(platform, user.access_token, { model: 'openai/gpt-4o-mini', max_tokens: 600 })).status, 200);
  await eventually('the rows have arrived', async () => (await get(platform, '/usage/summary', { token: user.access_token })).data.total.requests === 3, 20_000);
  const today = new Date();
  const month = today.toISOString().slice(0, 7);
  const nextMonth = Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 1, 1);
  const seconds = (at) => Math.round((at - Date.now()) / 1000);
  const through = async () => {
    const list = await get(platform, '/usage/statements', { token: await signIn(user) });
    assert.equal(list.status, 200, list.text);
    return list.data.data;
  };

  await t.test('not before', async () => {
    await stopped((database) => database.exec("DELETE FROM job_states WHERE name = 'usage_statements'"), seconds(nextMonth + DAY_MS / 2));
    await runJob('usage_statements');
    assert.ok((await through()).every((line) => line.month !== month));
  });
  await t.test('a day later, once', async () => {
    await stopped(undefined, seconds(nextMonth + DAY_MS + 60_000));
    const first = await runJob('usage_statements');
    assert.ok(first.ok && first.done >= 1, JSON.stringify(first));
    const [mail] = await waitForMails(platform, user.email, 'monthly_summary');
    assert.match(mail.text, /3 requests and 4500 tokens/);
    assert.deepEqual(mail.links, [`${platform.url}/usage/statements/${month}`]);
    const made = (await get(platform, `/usage/statements/${month}`, { token: await signIn(user) })).data;
    assert.equal((await runJob('usage_statements')).done, 0);
    assert.deepEqual((await get(platform, `/usage/statements/${month}`, { token: await signIn(user) })).data, made);
  });
  await t.test('as JSON and as CSV, each tenant its own', async () => {
    const token = await signIn(user);
    const { data } = await get(platform, `/usage/statements/${month}`, { token });
    assert.deepEqual([data.month, data.requests, data.tokens, data.rows.length], [month, 3, 4_500, 1]);
    assert.deepEqual([data.rows[0].product, data.rows[0].model, data.rows[0].requests], ['agent', 'openai/gpt-4o-mini', 3]);
    assert.ok(data.cost_microusd > 0 && data.unpriced_requests === 0);
    assert.deepEqual((await through()).map((line) => [line.month, line.requests]), [[month, 3]]);
    const csv = await get(platform, `/usage/statements/${month}?format=csv`, { token });
    assert.match(csv.headers.get('content-type'), /^text\/csv/);
    const [head, row, ...rest] = csv.text.trimEnd().split('\r\n');
    assert.equal(rest.length, 0);
    const cells = Object.fromEntries(head.split(',').map((name, at) => [name, row.split(',')[at]]));
    assert.deepEqual([cells.month, cells.model, cells.requests, cells.tokens], [month, 'openai/gpt-4o-mini', '3', '4500']);
    assertProblem(await get(platform, `/usage/statements/${month}?format=xml`, { token }), 400, 'bad_request');
    for (const wrong of ['1999-01', 'x', '2026-13']) assertProblem(await get(platform, `/usage/statements/${wrong}`, { token }), 404, 'not_found');
    const stranger = await signIn(other);
    assertProblem(await get(platform, `/usage/statements/${month}`, { token: stranger }), 404, 'not_found');
    assert.deepEqual((await get(platform, '/usage/statements', { token: stranger })).data.data, []);
  });
  await stopped(undefined, '');
  platform.assertNoPanic();
});
