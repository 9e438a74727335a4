// The mails that the platform sent: they come through a queue, about a second after they were asked for.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { get } from './http.mjs';

/**
 * Every mail to an address so far, newest first.
 *
 * @param {{url: string}} platform
 * @param {string} to
 * @param {string} [kind] e.g. `verify_email`
 * @returns {Promise<{to: string, kind: string, subject: string, text: string, links: string[]}[]>}
 */
export async function mailsTo(platform, to, kind) {
  const { status, data, text } = await get(platform, '/__dev/outbox');
  assert.equal(status, 200, text);
  return data.data.filter((mail) => mail.to === to.toLowerCase() && (kind === undefined || mail.kind === kind));
}

/** Waits until that many mails of a kind went to an address; answers them, newest first. */
export async function waitForMails(platform, to, kind, count = 1) {
  for (const deadline = Date.now() + 15_000; ; ) {
    const mails = await mailsTo(platform, to, kind);
    if (mails.length >= count) return mails;
    if (Date.now() > deadline) throw new Error(`${mails.length} of ${count} ${kind} mails went to ${to}`);
    await sleep(100);
  }
}

/** The token in the link of a mail. */
export function tokenOf({ links }) {
  assert.equal(links.length, 1);
  return new URL(links[0]).searchParams.get('token');
}
