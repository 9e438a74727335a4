// `GET /health/ready`: what it looks at, how often, and that nothing is answered before the tables are there.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDatabase } from '../harness/database.mjs';
import { get } from '../harness/http.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { withPlatform } from '../harness/platform.mjs';

const MIGRATIONS = readdirSync(new URL('../../d1-migrations/', import.meta.url)).filter((name) => name.endsWith('.sql')).sort();
const NEWEST = MIGRATIONS.at(-1);
const stateDir = mkdtempSync(join(tmpdir(), 'tollgate-readiness-'));
after(() => rmSync(stateDir, { recursive: true, force: true, maxRetries: 3 }));

// Somebody asks all through the first start.
const port = await freePort();
const early = [];
let starting = true;
const asking = (async () => {
  while (starting) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(5_000) });
      early.push(`${response.status} ${await response.text()}`);
    } catch {
      // Nobody listens yet.
    }
    await sleep(5);
  }
})();
const platform = await withPlatform({ stateDir, port });
await sleep(200);
starting = false;
await asking;

test('a first start answers nothing before it has migrated', () => {
  assert.ok(early.length > 0);
  assert.deepEqual(early.filter((answer) => !answer.startsWith('200 ')), []);
  assert.ok(platform.log.some((line) => line.includes(`Migrated tollgate-0: ${NEWEST}`)));
});

test('a hundred at once make one look at the functions', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => get(platform, '/health/ready')));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const looks = new Set(answers.map(({ data }) => data.as_of));
  assert.ok(looks.size === 1 && !looks.has(undefined), [...looks].join(' '));
});

test('an outcome is looked for anew after some seconds', async () => {
  const { data: first } = await get(platform, '/health/ready');
  await sleep(5_100);
  const { data: second } = await get(platform, '/health/ready');
  assert.notEqual(second.as_of, first.as_of);
});

test('a database that lacks the newest migration is not ready, and it is said which', async () => {
  // What a deployment sees whose code came before its migration. The record alone is changed: a start would apply the file.
  const rename = (from, to) => withDatabase(stateDir, (database) => database.prepare('UPDATE d1_migrations SET name = ? WHERE name = ?').run(to, from));
  rename(NEWEST, 'taken away');
  try {
    await sleep(5_100);
    const { status, data } = await get(platform, '/health/ready');
    assert.deepEqual([status, data.status], [503, 'not_ready']);
    const failed = data.functions.filter(({ ok }) => !ok);
    assert.ok(failed.length > 5, 'every function with a database says so');
    for (const { failed: reason } of failed) assert.equal(reason, `the database DB_0 waits for the migration ${NEWEST}`);
  } finally {
    rename('taken away', NEWEST);
  }
  await sleep(5_100);
  assert.equal((await get(platform, '/health/ready')).status, 200);
});

test('nothing panicked', () => platform.assertNoPanic());
