// Changing keys without signing anybody out: which settings come next, worked out from those that are set.
import { Failure } from './report.mjs';

/** How long an access token lives: so long an old signing key must stay in the set after it has stopped signing. */
const TOKEN_MINUTES = 15;

const publicHalf = ({ kty, crv, x, kid }) => ({ kty, crv, x, kid, alg: 'EdDSA', use: 'sig' });
const isOurs = ({ kty, crv, kid, x }) => kty === 'OKP' && crv === 'Ed25519' && Boolean(kid) && Boolean(x);

function privateKey(name, text) {
  let key;
  try {
    key = JSON.parse(text);
  } catch {
    throw new Failure(`${name} is not JSON`);
  }
  if (!isOurs(key) || !key.d) throw new Failure(`${name} is not a private Ed25519 JWK with a "kid"`);
  return key;
}

/**
 * The next stage of changing the signing key:
 *
 * 1. one key in JWKS: the set gets the next one beside it, which does not sign yet. `NEXT_SIGNING_KEY` keeps its private half.
 * 2. both in JWKS, and NEXT_SIGNING_KEY is there: it becomes SIGNING_KEY.
 * 3. both in JWKS, and the newer signs: the older is taken out, once every token it signed has expired.
 *
 * @param {{SIGNING_KEY?: string, JWKS?: string, NEXT_SIGNING_KEY?: string}} settings as they are now
 * @param {() => {SIGNING_KEY: string}} generate a fresh pair
 * @returns {{stage: 1 | 2 | 3, what: string, set: Record<string, string>}} `set` are the settings that change; an empty one is removed
 */
export function nextSigningStage({ SIGNING_KEY, JWKS, NEXT_SIGNING_KEY }, generate) {
  if (!SIGNING_KEY) throw new Failure('SIGNING_KEY is not set', 'Export the settings of the deployment first: `set -a; . ~/tollgate-keys.env; set +a`.');
  const signing = privateKey('SIGNING_KEY', SIGNING_KEY);
  const keys = JWKS ? JSON.parse(JWKS).keys.filter(isOurs) : [publicHalf(signing)];
  const has = ({ kid, x }) => keys.some((key) => key.kid === kid && key.x === x);
  if (!has(signing)) throw new Failure('JWKS does not have the public half of SIGNING_KEY: no token would verify', 'Put it back before anything else.');
  const next = NEXT_SIGNING_KEY ? privateKey('NEXT_SIGNING_KEY', NEXT_SIGNING_KEY) : undefined;

  if (next && next.kid !== signing.kid) {
    if (!has(next)) throw new Failure('JWKS does not have the public half of NEXT_SIGNING_KEY', 'Put JWKS of the first stage everywhere, or remove NEXT_SIGNING_KEY to begin again.');
    return {
      stage: 2,
      what: 'Once every function has JWKS with both keys: the new key signs. Only auth gets SIGNING_KEY.',
      set: { SIGNING_KEY: JSON.stringify(next), NEXT_SIGNING_KEY: '' },
    };
  }
  if (keys.length > 1) {
    return {
      stage: 3,
      what: `${TOKEN_MINUTES} minutes after auth has the new SIGNING_KEY, not earlier: the old key is taken out, in every function. The last stage.`,
      set: { JWKS: JSON.stringify({ keys: [publicHalf(signing)] }), ...(NEXT_SIGNING_KEY ? { NEXT_SIGNING_KEY: '' } : {}) },
    };
  }
  const fresh = JSON.parse(generate().SIGNING_KEY);
  return {
    stage: 1,
    what: 'Every function gets JWKS with both keys; the old one signs on. Keep NEXT_SIGNING_KEY with the other secrets: no function gets it.',
    set: { JWKS: JSON.stringify({ keys: [publicHalf(signing), publicHalf(fresh)] }), NEXT_SIGNING_KEY: JSON.stringify(fresh) },
  };
}

/**
 * The master keys with a new one, which seals from then on.
 *
 * @param {string | undefined} setting MASTER_KEYS as it is now
 * @param {(version: number) => string} generate
 */
export function withNewMasterKey(setting, generate) {
  if (!setting) throw new Failure('MASTER_KEYS is not set', 'Export the settings of the deployment first: `set -a; . ~/tollgate-keys.env; set +a`.');
  const entries = setting.split(',').map((entry) => entry.trim());
  const newest = Math.max(...entries.map((entry) => Number(entry.split(':')[0])));
  return [generate(newest + 1), ...entries].join(',');
}
