// What tests that attack have in common: keys that anybody can make up, others who go on meanwhile, what the runtime holds of
// memory, and a table of what was seen. Times are printed and never asserted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { bearer, call, chat } from './http.mjs';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A text with the checksum of keys that fits it: anybody can compute it. */
export function withChecksum(body) {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(body)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  let number = ~crc >>> 0;
  let digits = '';
  for (let n = 0; n < 6; n++) {
    digits = DIGITS[number % 62] + digits;
    number = Math.floor(number / 62);
  }
  return body + digits;
}

/** A key of nobody with a checksum that fits. */
export const madeUpKey = () => withChecksum(`tg_live_a${'0123456789abcdefABCDEF'.repeat(3)}${'0'.repeat(43)}`);

/**
 * Sends a chat request on a connection of its own. What nobody wants is not read to its end: the runtime closes the line behind its answer,
 * and who still sends may see that first. A connection that others use as well would be lost to them with it.
 *
 * @param {{port: number}} platform
 * @param {string} token
 * @param {string | Buffer} body
 * @returns {Promise<{status: number, headers: Headers, data: any, text: string} | {status: 'line closed'}>}
 */
export function sendAlone(platform, token, body) {
  return new Promise((done, fail) => {
    const headers = { ...bearer(token), 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sending = request({ port: platform.port, host: '127.0.0.1', method: 'POST', path: '/v1/chat/completions', headers, agent: false }, async (response) => {
      try {
        const text = (await response.toArray()).join('');
        const isJson = /\bjson\b/.test(response.headers['content-type'] ?? '');
        done({ status: response.statusCode, headers: new Headers(response.headers), text, data: isJson ? JSON.parse(text) : undefined });
      } catch (error) {
        closed(error);
      }
    });
    const closed = (error) => (['ECONNRESET', 'EPIPE'].includes(error.code) ? done({ status: 'line closed' }) : fail(error));
    sending.on('error', closed);
    sending.end(body);
  });
}

/** What the runtime holds of memory, in MB. */
export const memory = (platform) => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${platform.workerdPid()}/status`, 'utf8'))[1]) / 1024);

/**
 * Attacks, again and again until somebody else has made so many calls, one after the other: a question to a model and a look at their
 * profile in turn, and looks alone once the questions are used up. Every one of those must be answered as if nothing were.
 *
 * @template T
 * @param {import('./platform.mjs').TestPlatform} platform
 * @param {string} token of the other
 * @param {() => Promise<T[]>} work
 * @param {object} [options]
 * @param {number} [options.least] so many calls are made at least
 * @param {number} [options.questions] and no more questions than these
 * @returns {Promise<{result: T[], others: number, median: number, slowest: number, before: number, most: number, after: number}>} what all
 *   the attacks were answered; times in ms, memory in MB
 */
export async function meanwhile(platform, token, work, { least = 10, questions = 20 } = {}) {
  const before = memory(platform);
  let [working, most] = [true, before];
  const watch = setInterval(() => (most = Math.max(most, memory(platform))), 20);
  const [result, waits] = [[], []];
  const attack = async () => {
    try {
      do result.push(...(await work()));
      while (working && waits.length < least);
    } finally {
      working = false;
    }
  };
  const others = async () => {
    try {
      while (working) {
        const began = performance.now();
        const answer = waits.length % 2 === 0 && waits.length < 2 * questions ? await chat(platform, token, { max_tokens: 50 }) : await call(platform, 'GET', '/user/profile', { token });
        assert.equal(answer.status, 200, `what somebody else asked meanwhile: ${answer.text}`);
        waits.push(performance.now() - began);
        await sleep(5);
      }
    } finally {
      working = false;
    }
  };
  try {
    await Promise.all([attack(), others()]);
    assert.ok(waits.length >= least);
    waits.sort((a, b) => a - b);
    const ms = (wait) => Math.round(wait);
    return { result, others: waits.length, median: ms(waits[waits.length >> 1]), slowest: ms(waits.at(-1)), before, most, after: memory(platform) };
  } finally {
    clearInterval(watch);
  }
}

/** How often each was there: `{200: 3, 429: 7}` is `3 x 200, 7 x 429`. */
export function tally(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => String(a).localeCompare(String(b))).map(([value, count]) => `${count} x ${value}`).join(', ');
}

/** Rows that are printed below each other when all is done. */
export function startTable(...columns) {
  const rows = [columns];
  return {
    row: (...cells) => void rows.push(cells.map(String)),
    /** @param {import('node:test').TestContext} test */
    print(test) {
      const widths = columns.map((_, n) => Math.max(...rows.map((row) => row[n].length)));
      for (const row of rows) test.diagnostic(`| ${row.map((cell, n) => cell.padEnd(widths[n])).join(' | ')} |`);
    },
  };
}
