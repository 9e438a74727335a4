// Looking at what was charged. A settle may follow the answer by a moment, so everything here looks again until a deadline.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { get } from './http.mjs';

/**
 * Looks until something is there.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | undefined | null | false> | T | undefined | null | false} look
 * @param {number} [timeoutMs]
 * @returns {Promise<T>}
 */
export async function eventually(what, look, timeoutMs = 5_000) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`after ${timeoutMs} ms still not: ${what}`, { cause: last });
    await sleep(25);
  }
}

/** Where the meters stand: `{requests: {…}, tokens: {…}}`, straight from the meter. */
export async function quota(platform, token) {
  const { status, data, text } = await get(platform, '/usage/quota?fresh=true', { token });
  assert.equal(status, 200, text);
  return Object.fromEntries(data.data.map((meter) => [meter.meter, meter]));
}

/** The same once nothing is in flight any more. */
export async function settledQuota(platform, token, timeoutMs) {
  return eventually(
    'nothing is reserved',
    async () => {
      const meters = await quota(platform, token);
      return Object.values(meters).every(({ reserved }) => reserved === 0) && meters;
    },
    timeoutMs,
  );
}

/** All rows of the usage log, newest first. */
export async function logs(platform, token) {
  const rows = [];
  let cursor;
  do {
    const { status, data, text } = await get(platform, `/usage/logs?limit=100${cursor ? `&cursor=${cursor}` : ''}`, { token });
    assert.equal(status, 200, text);
    rows.push(...data.data);
    cursor = data.next_cursor;
  } while (cursor);
  return rows;
}

/** The row of a request, once it is settled. */
export async function logOf(platform, token, requestId, timeoutMs) {
  return eventually(`a usage row for ${requestId}`, async () => (await logs(platform, token)).find((row) => row.request_id === requestId), timeoutMs);
}
