// Refusals that come at once: the audit log has every one of them, and its chain stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually } from '../harness/usage.mjs';

const platform = await withPlatform();

/** How often an action was refused, by the log, page by page. */
async function refusals(token, action) {
  let [count, cursor] = [0, ''];
  do {
    const { data } = await get(platform, `/audit?limit=100&action=${action}${cursor ? `&cursor=${cursor}` : ''}`, { token });
    count += data.data.filter(({ outcome }) => outcome === 'denied').length;
    cursor = data.next_cursor;
  } while (cursor);
  return count;
}

for (const count of [60, 300]) {
  test(`${count} refusals at once are ${count} entries`, async () => {
    const user = await register(platform);
    const key = await post(platform, '/user/api-keys', { name: 'reader', scopes: ['usage:read'] }, { token: user.access_token });
    assert.equal(key.status, 201, key.text);
    // Through several functions, so through several instances.
    const paths = ['/user/profile', '/team/members', '/subscription', '/user/notifications'];
    const answers = await Promise.all(Array.from({ length: count }, (_, n) => get(platform, paths[n % paths.length], { token: key.data.secret })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [403]);
    const found = await eventually(`${count} entries`, async () => (await refusals(user.access_token, 'access.deny')) >= count && refusals(user.access_token, 'access.deny'), 30_000);
    assert.equal(found, count);
    const { data } = await get(platform, '/audit/verify', { token: user.access_token });
    assert.equal(data.ok, true, JSON.stringify(data));
  });
}

test('nothing was lost, and nothing panicked', () => {
  assert.doesNotMatch(platform.log.join('\n'), /could not be written/);
  platform.assertNoPanic();
});
