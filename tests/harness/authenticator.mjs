// An authenticator app: somebody else's implementation of RFC 6238, fed with the address that the platform shows.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOTP, URI } from 'otpauth';
import { post } from './http.mjs';

const PERIOD_MS = 30_000;

/** Waits until the current code lives a while longer, so that the calls that follow see the same time step. */
export async function earlyInTheStep(leaveMs = 10_000) {
  const left = PERIOD_MS - (Date.now() % PERIOD_MS);
  if (left < leaveMs) await sleep(left + 50);
}

/**
 * An app that has scanned an address.
 *
 * @param {string} uri
 * @returns {{code: (steps?: number) => string, uri: TOTP}} `code(-1)` is the one before, `code(1)` the next one: both are taken
 */
export function authenticator(uri) {
  const totp = URI.parse(uri);
  assert.ok(totp instanceof TOTP);
  return { uri: totp, code: (steps = 0) => totp.generate({ timestamp: Date.now() + steps * PERIOD_MS }) };
}

/**
 * Switches a user's second factor on with the code before the current one: that and those before are used up, the current one and
 * the next are good for a sign-in each.
 *
 * @returns {Promise<{app: ReturnType<typeof authenticator>, recoveryCodes: string[], secret: string}>}
 */
export async function switchOn(platform, { access_token: token, password }) {
  const enrolled = await post(platform, '/auth/totp/enroll', { password }, { token });
  assert.equal(enrolled.status, 200, enrolled.text);
  const app = authenticator(enrolled.data.otpauth_uri);
  await earlyInTheStep();
  const confirmed = await post(platform, '/auth/totp/confirm', { code: app.code(-1) }, { token });
  assert.equal(confirmed.status, 200, confirmed.text);
  return { app, recoveryCodes: confirmed.data.recovery_codes, secret: enrolled.data.secret };
}

/** A code that is not one of those around now. */
export function wrongCode(app) {
  const good = [-3, -2, -1, 0, 1, 2, 3].map((steps) => app.code(steps));
  return Array.from({ length: 10 }, (_, n) => `${n}12345`).find((code) => !good.includes(code));
}
