// A decision costs the same however long the ledger is: at 100, 10,000 and 1,000,000 rows.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { chat, get, register } from '../harness/http.mjs';
import { withMeters } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { settledQuota } from '../harness/usage.mjs';

const ROWS = [100, 10_000, 1_000_000];
const TIMED = 100;

const platform = await withPlatform();
const users = [];
for (const rows of ROWS) {
  const user = await register(platform);
  // Its rows are the pattern of all others: one reservation with a key, and how it ended.
  assert.equal((await chat(platform, user.access_token, { headers: { 'idempotency-key': 'pattern' } })).status, 200);
  await settledQuota(platform, user.access_token);
  users.push({ ...user, rows });
}

/** Replaces a user's ledger by one of so many rows, with all that belongs to it: as if the requests had come one by one. */
function fill(database, rows) {
  database.exec('PRAGMA synchronous = OFF');
  const patterns = Object.fromEntries(database.prepare('SELECT kind, body FROM ledger').all().map(({ kind, body }) => [kind, body]));
  const trial = JSON.parse(patterns.configured);
  const plan = structuredClone(trial);
  plan.data.version += 1;
  plan.data.limits = { requests: 'unlimited', tokens: 'unlimited', emails: 'unlimited' };
  const { id, amounts } = JSON.parse(patterns.settled).data;
  const answer = database.prepare('SELECT status, content_type, body FROM answers').get();
  const start = database.prepare('SELECT at FROM ledger ORDER BY seq').get().at;
  const end = Date.now();

  database.exec('BEGIN; DELETE FROM ledger; DELETE FROM answers; DELETE FROM checkpoint; DELETE FROM exports;');
  const insert = database.prepare('INSERT INTO ledger (seq, at, kind, key, body, hash) VALUES (?, ?, ?, ?, ?, ?)');
  const keep = database.prepare('INSERT INTO answers (reservation, at, status, content_type, body) VALUES (?, ?, ?, ?, ?)');
  let hash = Buffer.alloc(32);
  let seq = 0;
  const place = Buffer.alloc(16);
  const at = () => start + Math.floor(((end - start) * seq) / rows);
  const append = (kind, body, key = null) => {
    seq += 1;
    place.writeBigUInt64BE(BigInt(seq));
    place.writeBigInt64BE(BigInt(at()), 8);
    hash = createHash('sha256').update(hash).update(place).update(body).digest();
    insert.run(seq, at(), kind, key, body, hash.toString('hex'));
  };
  append('configured', JSON.stringify(trial));
  append('configured', JSON.stringify(plan));
  let settled = 0;
  for (; seq + 2 <= rows; settled++) {
    const own = id.slice(0, -12) + settled.toString(16).padStart(12, '0');
    append('reserved', patterns.reserved.replace(id, own), settled % 10 === 0 ? `key-${settled}` : null);
    append('settled', patterns.settled.replace(id, own));
    if (settled % 50 === 0) keep.run(own, at(), answer.status, answer.content_type, answer.body);
  }
  const state = {
    entitlement: plan.data, period_start: Date.parse(plan.data.terms.trial.started_at), settled: { requests: settled, tokens: settled * amounts.tokens }, reserved: {},
    held: {}, due: [], expired: {}, revoked: {}, grants: [], lease: null, marks: {}, rates: [], latest: at(),
  };
  database.prepare('INSERT INTO checkpoint (id, seq, hash, state) VALUES (1, ?, ?, ?)').run(seq, hash.toString('hex'), JSON.stringify(state));
  database.prepare('INSERT INTO exports (id, confirmed, sent, sent_at, attempts) VALUES (1, ?, ?, 0, 0)').run(seq, seq);
  database.exec('COMMIT');
  assert.equal(seq, rows);
}
test('ledgers are filled, and they are sound', async (t) => {
  const started = performance.now();
  await platform.restart({
    whileStopped: () =>
      withMeters(platform.stateDir, (database, { user }) => {
        const { rows } = users.find((candidate) => candidate.user.id === user);
        fill(database, rows);
      }),
  });
  t.diagnostic(`filled in ${Math.round(performance.now() - started)} ms, the restart included`);
  // A million rows are walked in ten seconds; the same code has written them.
  for (const user of users.filter(({ rows }) => rows <= 10_000)) {
    const began = performance.now();
    const { data, text } = await get(platform, '/usage/ledger/verify', { token: user.access_token });
    assert.deepEqual([data.ok, data.broken_at, data.rows], [true, null, user.rows], text);
    t.diagnostic(`${user.rows} rows: verified in ${Math.round(performance.now() - began)} ms`);
  }
});

test('rows that a decision reads are equal', async (t) => {
  // The meters start from their checkpoints, the first decision included in what is counted.
  await platform.restart();
  const costs = new Map();
  for (const { rows, access_token: token } of users) {
    const steps = {};
    const step = async (name, ask) => {
      const answer = await ask();
      assert.equal(answer.status, 200, answer.text);
      await settledQuota(platform, token);
      const { data } = await get(platform, `/__dev/cost/${answer.headers.get('x-request-id')}`);
      steps[name] = { calls: data.durable_object_calls, read: data.meter_rows_read, written: data.meter_rows_written };
    };
    await step('the first, after a start', () => chat(platform, token));
    for (const n of [1, 2, 3]) await step(`without a key, ${n}`, () => chat(platform, token));
    const keyed = (key) => () => chat(platform, token, { headers: { 'idempotency-key': key } });
    for (const n of [1, 2, 3]) await step(`with a key, ${n}`, keyed(`new-${n}`));
    await step('a replay', keyed('new-1'));
    await step('quota', () => get(platform, '/usage/quota?fresh=true', { token }));
    costs.set(rows, steps);
  }
  const [first, ...others] = ROWS.map((rows) => costs.get(rows));
  for (const [name, cost] of Object.entries(first)) t.diagnostic(`${name}: ${JSON.stringify(cost)}`);
  // A meter whose alarm was due has started before it is asked.
  const started = 'the first, after a start';
  for (const steps of costs.values()) {
    assert.ok(steps[started].read <= 6, JSON.stringify(steps[started]));
    delete steps[started];
  }
  for (const other of others) assert.deepEqual(other, first);
  assert.ok(first['without a key, 1'].written > 0, 'rows are counted at all');
});

test('and the time it takes is told, not asserted: machines are noisy', async (t) => {
  const times = new Map(ROWS.map((rows) => [rows, { plain: [], keyed: [], quota: [] }]));
  const timed = async (into, ask) => {
    const began = performance.now();
    assert.equal((await ask()).status, 200);
    into.push(performance.now() - began);
  };
  for (let n = 0; n < TIMED; n++) {
    for (const { rows, access_token: token } of users) {
      const { plain, keyed, quota } = times.get(rows);
      await timed(plain, () => chat(platform, token));
      await timed(keyed, () => chat(platform, token, { headers: { 'idempotency-key': `timed-${n}` } }));
      await timed(quota, () => get(platform, '/usage/quota?fresh=true', { token }));
    }
  }
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  for (const what of ['plain', 'keyed', 'quota']) {
    const medians = ROWS.map((rows) => median(times.get(rows)[what]));
    t.diagnostic(`${what}: ${ROWS.map((rows, n) => `${rows} rows ${medians[n].toFixed(2)} ms (${(medians[n] / medians[0]).toFixed(2)})`).join(', ')}`);
  }
});

test('nothing panicked', () => platform.assertNoPanic());
