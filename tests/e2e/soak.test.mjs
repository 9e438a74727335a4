// Two years of billing periods in a minute: the clock jumps to just before periods end, and requests go on across each end.
//
// In `npm test` it stops at the ends that are worth it most; `npm run soak` stops at all of 2027 and 2028 (half an hour).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually, logs, settledQuota } from '../harness/usage.mjs';

const WHOLE = Boolean(process.env.SOAK);
const LIMIT = 1_000_000;
const SECOND = 1_000;

// Three at each day that a month may not have, around 01:00 UTC: the instant at which Europe's clocks change.
const ANCHORS = [
  '2026-08-28T01:00:00.000Z', '2026-09-28T00:59:59.999Z', '2025-02-28T01:00:01.500Z',
  '2024-02-29T01:00:00.000Z', '2026-08-29T00:59:59.999Z', '2026-10-29T01:00:01.500Z',
  '2026-08-30T01:00:00.000Z', '2026-09-30T00:59:59.999Z', '2025-12-30T01:00:01.500Z',
  '2026-08-31T01:00:00.000Z', '2025-01-31T00:59:59.999Z', '2026-10-31T01:00:01.500Z',
  ...(WHOLE ? ['2026-08-31T23:59:59.999Z', '2024-02-29T00:00:00.000Z', '2026-10-30T12:34:56.789Z', '2026-01-31T02:30:00.001Z'] : []),
];
// 28 February of a plain year, where four days meet; the last Sundays of March and October; 29 February.
const WORTH_IT = new Set(['2027-02-28', '2027-03-28', '2027-10-31', '2028-02-29', '2028-10-29']);

/** The n-th bound by the book: n months after the anchor, the day capped to the month's length. */
function bound(anchor, n) {
  const year = anchor.getUTCFullYear();
  const month = anchor.getUTCMonth() + n;
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(anchor.getUTCDate(), last), anchor.getUTCHours(), anchor.getUTCMinutes(), anchor.getUTCSeconds(), anchor.getUTCMilliseconds());
}
function period(anchor, at) {
  let n = 0;
  while (bound(anchor, n + 1) <= at) n += 1;
  return { start: bound(anchor, n), end: bound(anchor, n + 1) };
}

/** Where the clock stops: ends that lie seconds apart are one stop. */
function stops(users) {
  const ends = [];
  for (const user of users) {
    for (let n = 0, end; (end = bound(user.anchor, n)) < Date.UTC(2029, 0); n++) {
      if (end >= Date.UTC(2027, 0) && (WHOLE || WORTH_IT.has(new Date(end).toISOString().slice(0, 10)))) ends.push({ user, end });
    }
  }
  ends.sort((a, b) => a.end - b.end);
  const groups = [];
  for (const one of ends) {
    const group = groups.at(-1);
    if (group && one.end - group[0].end < 3 * SECOND) group.push(one);
    else groups.push([one]);
  }
  return groups;
}

test('counters start again on the instant, whatever the day, across leap years and changes of the clock', { timeout: WHOLE ? 3 * 60 * 60 * SECOND : 280 * SECOND }, async (t) => {
  // A runtime that looked at the machine's time zone would show here.
  const platform = await withPlatform({ test: t, env: { TZ: 'Europe/Berlin' } });
  const users = [];
  for (const anchor of ANCHORS) users.push({ ...(await register(platform)), anchor: new Date(anchor), periods: new Map() });
  const limits = { requests: { hard: LIMIT }, tokens: 'unlimited' };
  let whileStopped = () => subscribe(platform.stateDir, users.map((user) => ({ ...user, limits })));

  let offset = 0;
  let leadMs = 4 * SECOND;
  const now = () => Date.now() + offset * SECOND;
  const signIn = async (user) => {
    const { status, data, text } = await post(platform, '/auth/login', { email: user.email, password: user.password });
    assert.equal(status, 200, text);
    user.access_token = data.access_token;
  };

  /** Sets the clock so that these users can be asked a second and more before the first of their periods ends. */
  async function jump(group) {
    for (let tries = 1; ; tries++) {
      const began = Date.now();
      offset = Math.floor((group[0].end - began - leadMs) / SECOND);
      await platform.restart({ env: { CLOCK_OFFSET_SECONDS: String(offset) }, whileStopped });
      whileStopped = undefined;
      await Promise.all(group.map(({ user }) => signIn(user)));
      const tookMs = Date.now() - began;
      leadMs = tookMs + 2 * SECOND;
      if (group[0].end - now() > 1.3 * SECOND) return;
      assert.ok(tries < 5, `the platform needs ${tookMs} ms to start`);
    }
  }

  const nearest = { before: Infinity, after: Infinity };
  /** Asks on and on until a second after the end. */
  async function crossing({ user, end }) {
    const [before, after] = [period(user.anchor, end - 1), period(user.anchor, end)];
    assert.deepEqual([before.end, after.start], [end, end]);
    const counts = { before: user.periods.get(before.start) ?? 0, after: 0 };
    const label = `${user.anchor.toISOString()} at ${new Date(end).toISOString()}`;
    const seen = { secondBefore: 0, after: 0 };
    do {
      const sentAt = now();
      const answer = await chat(platform, user.access_token, { content: 'Hi', max_tokens: 5 });
      const arrivedAt = now();
      assert.equal(answer.status, 200, answer.text);
      // What is left tells the period it was counted in.
      const count = LIMIT - Number(answer.headers.get('x-tollgate-requests-remaining'));
      const inNew = arrivedAt < end ? false : sentAt >= end ? true : count !== counts.before + 1;
      counts[inNew ? 'after' : 'before'] += 1;
      assert.equal(count, inNew ? counts.after : counts.before, `${label}: sent ${sentAt - end} ms, answered ${arrivedAt - end} ms after the end`);
      if (arrivedAt < end) {
        nearest.before = Math.min(nearest.before, end - arrivedAt);
        if (end - sentAt <= SECOND) seen.secondBefore += 1;
      } else if (sentAt >= end) {
        nearest.after = Math.min(nearest.after, sentAt - end);
        seen.after += 1;
      }
      const { data } = await get(platform, '/usage/quota?fresh=true', { token: user.access_token });
      const requests = data.data.find(({ meter }) => meter === 'requests');
      const inside = Date.parse(data.as_of) < end ? [before, counts.before] : [after, counts.after];
      assert.deepEqual([Date.parse(requests.resets_at), requests.used + requests.reserved], [inside[0].end, inside[1]], `${label}: as of ${data.as_of}`);
      await sleep(20);
    } while (now() < end + SECOND);
    assert.ok(seen.secondBefore > 0 && seen.after > 0, `${label}: asked on both sides`);

    const meters = await settledQuota(platform, user.access_token);
    assert.equal(meters.requests.used, counts.after, label);
    assert.equal(Date.parse(meters.requests.resets_at), after.end, label);
    assert.equal(Date.parse(meters.tokens.resets_at), after.end, label);
    user.periods.set(before.start, counts.before).set(after.start, counts.after);
    const { data: ledger, text } = await get(platform, '/usage/ledger/verify', { token: user.access_token });
    assert.deepEqual([ledger?.ok, ledger?.broken_at], [true, null], text);
  }

  const began = performance.now();
  const groups = stops(users);
  let ends = 0;
  for (const group of groups) {
    await jump(group);
    await Promise.all(group.map(crossing));
    ends += group.length;
  }
  assert.ok(ends >= 24, `${ends} period ends`);

  // All that was answered is in the log, once.
  let requests = 0;
  await Promise.all(users.map(signIn));
  for (const user of users) {
    const total = [...user.periods.values()].reduce((sum, count) => sum + count, 0);
    const rows = await eventually(`${total} rows`, async () => {
      const all = await logs(platform, user.access_token);
      return all.length >= total && all;
    }, 120 * SECOND);
    assert.equal(rows.length, total, user.anchor.toISOString());
    assert.equal(new Set(rows.map(({ request_id: id }) => id)).size, total);
    requests += total;
  }
  t.diagnostic(`${ends} period ends at ${groups.length} stops, ${requests} requests, in ${Math.round((performance.now() - began) / SECOND)} s; nearest ${nearest.before} ms before and ${nearest.after} ms after an end`);
  platform.assertNoPanic();
});
