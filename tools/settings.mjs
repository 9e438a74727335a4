// The settings of a local platform: where each comes from, and which function gets it as a binding.
//
//   node tools/settings.mjs keys      prints a fresh SIGNING_KEY, JWKS and MASTER_KEYS for a deployment
//   node tools/settings.mjs rotate-keys    prints the next stage of changing SIGNING_KEY, from what is set
//   node tools/settings.mjs rotate-master-key     prints MASTER_KEYS with a new one, from what is set
//   node tools/settings.mjs           prints which settings are set (never their values)
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseEnv } from 'node:util';
import { ROOT } from './lib/paths.mjs';
import { Failure, runMain, say } from './lib/report.mjs';
import { nextSigningStage, withNewMasterKey } from './lib/rotate-keys.mjs';

const EVERY = 'every function';

/**
 * Which function gets which setting. A setting that is not set is not bound: functions see it as absent.
 * @type {Record<string, {to: string[] | typeof EVERY, kind?: 'url' | 'integer' | 'json' | 'master keys' | 'url or off'}>}
 */
const TABLE = {
  ENVIRONMENT: { to: EVERY },
  CLOCK_OFFSET_SECONDS: { to: EVERY, kind: 'integer' },
  JWKS: { to: EVERY, kind: 'json' },
  SIGNING_KEY: { to: ['auth'], kind: 'json' },
  MASTER_KEYS: { to: ['credentials', 'cron', 'sso', 'team', 'team-sso', 'user'], kind: 'master keys' },
  NEW_TENANT_SHARDS: { to: ['auth', 'oauth'] },
  PUBLIC_URL: { to: ['gateway', 'auth', 'credentials', 'user', 'chat', 'usage', 'team', 'oauth', 'sso', 'team-sso', 'privacy', 'billing', 'stripe-webhook', 'cron'], kind: 'url' },
  PWNED_BASE_URL: { to: ['credentials'], kind: 'url or off' },
  GOOGLE_CLIENT_ID: { to: ['oauth'] },
  GOOGLE_CLIENT_SECRET: { to: ['oauth'] },
  GOOGLE_ISSUER: { to: ['oauth'], kind: 'url' },
  GITHUB_CLIENT_ID: { to: ['oauth'] },
  GITHUB_CLIENT_SECRET: { to: ['oauth'] },
  GITHUB_BASE_URL: { to: ['oauth'], kind: 'url' },
  GITHUB_API_BASE_URL: { to: ['oauth'], kind: 'url' },
  OIDC_CLIENT_ID: { to: ['oauth'] },
  OIDC_CLIENT_SECRET: { to: ['oauth'] },
  OIDC_ISSUER: { to: ['oauth'], kind: 'url' },
  DOH_BASE_URL: { to: ['team-sso'], kind: 'url' },
  RESEND_API_KEY: { to: ['notify'] },
  RESEND_BASE_URL: { to: ['notify'], kind: 'url' },
  MAIL_FROM: { to: ['notify', 'chat'] },
  TRIALS_NEED_CONFIRMED_EMAIL: { to: ['chat'] },
  TRIALS_MICROUSD_PER_DAY: { to: ['chat'], kind: 'integer' },
  STRIPE_SECRET_KEY: { to: ['billing', 'stripe-webhook', 'cron'] },
  STRIPE_API_BASE: { to: ['billing', 'stripe-webhook', 'cron'], kind: 'url' },
  STRIPE_WEBHOOK_SECRET: { to: ['stripe-webhook'] },
  OPERATOR_TOKEN: { to: ['stripe-webhook', 'cron', 'notify'] },
  OPENAI_API_KEY: { to: ['chat'] },
  OPENAI_BASE_URL: { to: ['chat'], kind: 'url' },
  ANTHROPIC_API_KEY: { to: ['chat'] },
  ANTHROPIC_BASE_URL: { to: ['chat'], kind: 'url' },
  GEMINI_API_KEY: { to: ['chat'] },
  GEMINI_BASE_URL: { to: ['chat'], kind: 'url' },
  ...Object.fromEntries(
    ['OPENAI', 'ANTHROPIC', 'GEMINI'].flatMap((name) => ['FIRST_BYTE_', '', 'SILENCE_'].map((what) => [`${name}_TIMEOUT_${what}SECONDS`, { to: ['chat'], kind: 'integer' }])),
  ),
};

/** The names of all settings that functions can see. */
export const SETTING_NAMES = Object.keys(TABLE);

/** The functions that get each setting. @type {Record<string, string[] | string>} */
export const SETTING_TARGETS = Object.fromEntries(Object.entries(TABLE).map(([name, { to }]) => [name, to]));

/** The model providers, as their settings begin. */
export const PROVIDERS = ['OPENAI', 'ANTHROPIC', 'GEMINI'];

/**
 * The providers that are configured, for what `npm start` says. As functions/chat/src/providers.rs has it: a key is
 * enough, and so is a base URL (servers on one's own machine often want no key).
 *
 * @param {Record<string, string>} values
 * @returns {string[]} of `PROVIDERS`
 */
export function configuredProviders(values) {
  return PROVIDERS.filter((name) => values[`${name}_API_KEY`] || values[`${name}_BASE_URL`]);
}

/**
 * Reads the settings: the environment wins over `.env`, which wins over generated ones. Generated secrets are
 * kept in `<state>/secrets.env`, so that tokens survive a restart.
 *
 * @param {object} [options]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.root] where `.env` is
 * @returns {{port: number, stateDir: string, skipBuild: boolean, shards: number, values: Record<string, string>}}
 */
export function loadSettings({ env = process.env, root = ROOT } = {}) {
  // A variable that is set but empty hides the line in `.env`: that is how a test keeps a developer's keys out.
  const given = givenSettings({ env, root });
  const port = parsePort(given.PORT ?? '8787');
  const stateDir = resolve(root, given.STATE_DIR ?? '.state');
  const values = {};
  for (const [name, { kind }] of Object.entries(TABLE)) {
    if (given[name] === undefined) continue;
    check(name, given[name], kind);
    values[name] = given[name];
  }
  values.PUBLIC_URL ??= `http://127.0.0.1:${port}`;
  Object.assign(values, secrets(values, stateDir));
  return { port, stateDir, skipBuild: given.TOLLGATE_SKIP_BUILD === '1', shards: parseShards(given.D1_SHARDS ?? '1'), values };
}

/** What the environment and `.env` say; nothing is generated. */
function givenSettings({ env = process.env, root = ROOT } = {}) {
  return withoutEmpty({ ...readEnvFile(join(root, '.env')), ...env });
}

/**
 * The settings that a function gets, by binding name.
 *
 * @param {string} functionName e.g. `auth`
 * @param {Record<string, string>} values
 */
export function bindingsFor(functionName, values) {
  const bindings = {};
  for (const [name, { to }] of Object.entries(TABLE)) {
    if (values[name] !== undefined && (to === EVERY || to.includes(functionName))) bindings[name] = values[name];
  }
  return bindings;
}

/** A fresh Ed25519 key pair: the private JWK with its `kid` (RFC 7638 thumbprint), and the public set. */
export function generateKeys() {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url');
  const signingKey = { kty: 'OKP', crv: 'Ed25519', x: jwk.x, d: jwk.d, kid, alg: 'EdDSA', use: 'sig' };
  return { SIGNING_KEY: JSON.stringify(signingKey), JWKS: publicSet(signingKey) };
}

function publicSet({ kty, crv, x, kid }) {
  return JSON.stringify({ keys: [{ kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }] });
}

/** A fresh master key of the vault: `<version>:<32 bytes in base64url>`. */
export function generateMasterKey(version = 1) {
  return `${version}:${randomBytes(32).toString('base64url')}`;
}

// What was not given comes out of `<state>/secrets.env`; what that lacks is generated and added.
function secrets(values, stateDir) {
  const path = join(stateDir, 'secrets.env');
  const stored = readEnvFile(path);
  const found = { ...signingKeys(values, stored), MASTER_KEYS: values.MASTER_KEYS ?? stored.MASTER_KEYS ?? generateMasterKey() };
  const kept = { ...stored };
  // A pair that was given is kept where it was given.
  if (!values.SIGNING_KEY && !(stored.SIGNING_KEY && stored.JWKS)) Object.assign(kept, { SIGNING_KEY: found.SIGNING_KEY, JWKS: publicSet(JSON.parse(found.SIGNING_KEY)) });
  if (!values.MASTER_KEYS) kept.MASTER_KEYS = found.MASTER_KEYS;
  if (Object.keys(kept).length > Object.keys(stored).length) store(path, stateDir, kept);
  return found;
}

// The public keys follow from the private one unless they are given (they are when a key rolls: two keys then).
function signingKeys(values, stored) {
  if (values.SIGNING_KEY) {
    const key = JSON.parse(values.SIGNING_KEY);
    if (!(key.kty === 'OKP' && key.crv === 'Ed25519' && key.d && key.x && key.kid)) {
      throw new Failure('SIGNING_KEY is not a private Ed25519 JWK with a "kid"', '`node tools/settings.mjs keys` prints a fresh one.');
    }
    return { JWKS: values.JWKS ?? publicSet(key) };
  }
  const pair = stored.SIGNING_KEY && stored.JWKS ? stored : generateKeys();
  return { SIGNING_KEY: pair.SIGNING_KEY, JWKS: values.JWKS ?? pair.JWKS };
}

function store(path, stateDir, kept) {
  mkdirSync(stateDir, { recursive: true });
  const lines = Object.entries(kept).map(([name, value]) => `${name}='${value}'\n`);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `# Generated for local use. What is signed or sealed with these keys is worth nothing elsewhere.\n${lines.join('')}`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

function readEnvFile(path) {
  if (!existsSync(path)) return {};
  return withoutEmpty(parseEnv(readFileSync(path, 'utf8')));
}

// `OPENAI_API_KEY=` in a file means "not set".
function withoutEmpty(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}

function parsePort(text) {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Failure(`PORT is "${text}", not a port number`, 'Use a number from 1 to 65535, e.g. PORT=8787.');
  return port;
}

function parseShards(text) {
  const shards = Number(text);
  if (!/^\d+$/.test(text) || shards < 1 || shards > 16) throw new Failure(`D1_SHARDS is "${text}", not a number from 1 to 16`, 'How many databases are bound locally, e.g. D1_SHARDS=2.');
  return shards;
}

function check(name, value, kind) {
  if (kind === 'integer' && !/^[+-]?\d{1,12}$/.test(value)) {
    throw new Failure(`${name} is "${value}", not a whole number`, 'Seconds, e.g. CLOCK_OFFSET_SECONDS=86400 for a day ahead.');
  }
  if (kind === 'url' || (kind === 'url or off' && value !== 'off')) {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) throw new Failure(`${name} is "${value}", not an http(s) address`, `E.g. ${name}=http://127.0.0.1:9001`);
  }
  if (kind === 'master keys' && !value.split(',').every((entry) => /^(0|[1-9]\d*):[\w-]{43}$/.test(entry.trim()))) {
    throw new Failure(`${name} is not a list of <version>:<32 bytes in base64url>`, '`node tools/settings.mjs keys` prints a fresh one.');
  }
  if (kind === 'json') {
    try {
      JSON.parse(value);
    } catch (error) {
      throw new Failure(`${name} is not JSON: ${error.message}`, '`node tools/settings.mjs keys` prints a fresh pair.');
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(() => {
    if (process.argv[2] === 'keys') {
      const { SIGNING_KEY, JWKS } = generateKeys();
      say(`SIGNING_KEY='${SIGNING_KEY}'\nJWKS='${JWKS}'\nMASTER_KEYS='${generateMasterKey()}'`);
      return;
    }
    if (process.argv[2] === 'rotate-keys') {
      const { stage, what, set } = nextSigningStage(givenSettings(), generateKeys);
      say(`# Stage ${stage} of 3. ${what}`);
      for (const [name, value] of Object.entries(set)) say(`${name}='${value}'`);
      return;
    }
    if (process.argv[2] === 'rotate-master-key') {
      say(`# For credentials and cron. When the job has brought every data key along, take the older ones out: docs/OPERATIONS.md.`);
      say(`MASTER_KEYS='${withNewMasterKey(givenSettings().MASTER_KEYS, generateMasterKey)}'`);
      return;
    }
    if (process.argv[2] !== undefined) throw new Failure(`"${process.argv[2]}" is not known`, 'keys, rotate-keys, rotate-master-key, or nothing.');
    const { port, stateDir, values } = loadSettings();
    say(`PORT ${port}\nSTATE_DIR ${stateDir}`);
    for (const name of Object.keys(TABLE)) say(`${name} ${values[name] === undefined ? 'not set' : 'set'}`);
  });
}
