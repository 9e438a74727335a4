// A deleted user's meter leaves nothing behind. No call deletes a user yet: the object is told what it will be told then,
// by a runtime of this test's own on the platform's state.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Miniflare } from 'miniflare';
import { listFunctions } from '../../tools/lib/functions.mjs';
import { readConfig, workerOptions } from '../../tools/lib/worker-options.mjs';
import { generateKeys } from '../../tools/settings.mjs';
import { openDatabase } from '../harness/database.mjs';
import { assertProblem, chat, get, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { makeTeam } from '../harness/team.mjs';
import { settledQuota } from '../harness/usage.mjs';

const POOL = 40;

const platform = await withPlatform();

/** Works on meters in a runtime of this test's own; answers their files. The platform must not be running. */
async function withObjects(owners, work) {
  const workers = workerOptions(listFunctions().map(readConfig), { settings: generateKeys(), environment: 'local' });
  const runtime = new Miniflare({ workers, defaultPersistRoot: platform.stateDir, cf: false, telemetry: { enabled: false } });
  try {
    const meters = await runtime.getDurableObjectNamespace('METER', 'tollgate-chat');
    const files = [];
    for (const { tenant, user } of owners) {
      const id = meters.idFromName(`${tenant}/${user}/agent`);
      files.push(join(platform.stateDir, 'do', 'tollgate-meter-UsageMeter', `${id}.sqlite`));
      await work(meters.get(id), files.at(-1));
    }
    return files;
  } finally {
    await runtime.dispose();
  }
}

/** What is stored: rows of every table, those of the runtime (where an alarm would be) too. */
function stored(file) {
  const database = openDatabase(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
    return Object.fromEntries(tables.map(({ name }) => [name, database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get().rows]));
  } finally {
    database.close();
  }
}
const assertNothing = (files) => {
  for (const file of files) assert.deepEqual(Object.entries(stored(file)).filter(([, rows]) => rows > 0), []);
};

test('a deleted meter holds nothing, sets no alarm, and its lease goes back to the team', async (t) => {
  const [, ...members] = await makeTeam(platform, { members: 4, limits: { requests: { hard: POOL }, tokens: 'unlimited' } });
  const [gone, ...others] = members;
  const single = await register(platform);
  // Each takes one and is leased more than that.
  for (const { access_token: token } of [...members, single]) assert.equal((await chat(platform, token, { headers: { 'idempotency-key': 'one' } })).status, 200);
  await settledQuota(platform, single.access_token);
  const leased = async () => (await get(platform, '/usage/quota?fresh=true', { token: others[0].access_token })).data.data.find(({ meter }) => meter === 'requests');
  const before = await leased();

  let files;
  await platform.restart({
    whileStopped: async () => {
      const owners = [gone, single].map(({ user }) => ({ tenant: user.tenant_id, user: user.id }));
      files = await withObjects(owners, async (meter, file) => {
        const { ledger, answers, _cf_METADATA: alarm } = stored(file);
        assert.ok(ledger > 0 && answers > 0 && alarm > 0, 'there is something to forget');
        const answer = await meter.fetch('https://object/', { method: 'POST', body: JSON.stringify('delete') });
        assert.equal(await answer.text(), '"done"');
      });
      assertNothing(files);
    },
  });
  await t.test('what it held idle is free again, to the last one', async () => {
    const after = await leased();
    assert.ok(after.remaining > before.remaining, `${before.remaining} were left before, ${after.remaining} now`);
    let answered = 0;
    let answer;
    while ((answer = await chat(platform, others[0].access_token)).status === 200) answered += 1;
    assertProblem(answer, 429, 'quota_exceeded');
    // A meter that is gone answers no recall: had it kept its lease, that would be missing here.
    assert.equal(answered, POOL - members.length);
  });
  await t.test('nothing wakes it', async () => {
    // A copy is made ten seconds after news, an idle lease goes back after ten: by then an alarm would have fired.
    await sleep(12_000);
    await platform.restart({ whileStopped: () => assertNothing(files) });
  });
  platform.assertNoPanic();
});
