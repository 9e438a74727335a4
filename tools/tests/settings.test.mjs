import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lib/paths.mjs';
import { bindingsFor, configuredProviders, loadSettings, PROVIDERS } from '../settings.mjs';

const folder = () => mkdtempSync(join(tmpdir(), 'tollgate-settings-'));

test('the environment wins over .env, and an empty variable hides the line in .env', () => {
  const root = folder();
  writeFileSync(join(root, '.env'), 'OPENAI_API_KEY=from-file\nGEMINI_API_KEY=from-file\nANTHROPIC_API_KEY=from-file\n');
  const { values } = loadSettings({ root, env: { OPENAI_API_KEY: 'from-environment', GEMINI_API_KEY: '' } });
  assert.equal(values.OPENAI_API_KEY, 'from-environment');
  assert.equal(values.GEMINI_API_KEY, undefined);
  assert.equal(values.ANTHROPIC_API_KEY, 'from-file');
});

test('the signing key is generated once, readable by its owner only, and its public half fits', () => {
  const root = folder();
  const first = loadSettings({ root, env: {} });
  const second = loadSettings({ root, env: {} });
  assert.equal(first.values.SIGNING_KEY, second.values.SIGNING_KEY);
  assert.equal(statSync(join(first.stateDir, 'secrets.env')).mode & 0o777, 0o600);
  const key = JSON.parse(first.values.SIGNING_KEY);
  const { keys } = JSON.parse(first.values.JWKS);
  assert.deepEqual(keys, [{ kty: 'OKP', crv: 'Ed25519', x: key.x, kid: key.kid, alg: 'EdDSA', use: 'sig' }]);
});

test('a master key is generated once, beside signing keys of an earlier version, and goes to those that seal', () => {
  const root = folder();
  const first = loadSettings({ root, env: {} });
  assert.match(first.values.MASTER_KEYS, /^1:[\w-]{43}$/);
  assert.equal(loadSettings({ root, env: {} }).values.MASTER_KEYS, first.values.MASTER_KEYS);
  // A state folder of before has signing keys only: they stay what they are.
  const path = join(first.stateDir, 'secrets.env');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^MASTER_KEYS=.*\n/m, ''));
  const upgraded = loadSettings({ root, env: {} });
  assert.equal(upgraded.values.SIGNING_KEY, first.values.SIGNING_KEY);
  assert.notEqual(upgraded.values.MASTER_KEYS, first.values.MASTER_KEYS);
  assert.equal(loadSettings({ root, env: {} }).values.MASTER_KEYS, upgraded.values.MASTER_KEYS);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  // One that is given is used and not stored.
  const given = `2:${'A'.repeat(43)},1:${'B'.repeat(43)}`;
  assert.equal(loadSettings({ root, env: { MASTER_KEYS: given } }).values.MASTER_KEYS, given);
  assert.equal(loadSettings({ root, env: {} }).values.MASTER_KEYS, upgraded.values.MASTER_KEYS);
  for (const name of ['cron', 'credentials']) assert.ok(bindingsFor(name, first.values).MASTER_KEYS, name);
  for (const name of ['gateway', 'chat', 'meter', 'usage', 'another']) assert.equal(bindingsFor(name, first.values).MASTER_KEYS, undefined, name);
});

test('only auth gets the private key', () => {
  const { values } = loadSettings({ root: folder(), env: { OPENAI_API_KEY: 'k' } });
  assert.ok(bindingsFor('auth', values).SIGNING_KEY);
  for (const name of ['gateway', 'user', 'chat', 'usage', 'meter', 'another']) {
    assert.equal(bindingsFor(name, values).SIGNING_KEY, undefined, name);
    assert.ok(bindingsFor(name, values).JWKS, name);
  }
  assert.equal(bindingsFor('chat', values).OPENAI_API_KEY, 'k');
  assert.equal(bindingsFor('auth', values).OPENAI_API_KEY, undefined);
});

test('a wrong setting is named', () => {
  const wrong = { PORT: 'eighty', CLOCK_OFFSET_SECONDS: '1.5', OPENAI_BASE_URL: 'localhost:9', SIGNING_KEY: '{}', JWKS: '{', MASTER_KEYS: '1:short' };
  for (const [name, value] of Object.entries(wrong)) {
    assert.throws(() => loadSettings({ root: folder(), env: { [name]: value } }), new RegExp(name), name);
  }
});

test('a provider is configured by its key or by its base URL alone', () => {
  const configured = (env) => configuredProviders(loadSettings({ root: folder(), env }).values);
  assert.deepEqual(configured({}), []);
  assert.deepEqual(configured({ OPENAI_API_KEY: 'k', GEMINI_API_KEY: '' }), ['OPENAI']);
  assert.deepEqual(configured({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' }), ['ANTHROPIC']);
});

test('the providers are those that the function chat knows, and it gets their settings', () => {
  const source = readFileSync(join(ROOT, 'functions/chat/src/providers.rs'), 'utf8');
  const names = [...source.matchAll(/"([A-Z]+)_API_KEY", "([A-Z]+)_BASE_URL"/g)].map(([, key, url]) => (key === url ? key : `${key}, ${url}`));
  assert.deepEqual(names, PROVIDERS);
  const values = Object.fromEntries(names.flatMap((name) => [[`${name}_API_KEY`, 'k'], [`${name}_BASE_URL`, 'http://127.0.0.1:9']]));
  assert.deepEqual(bindingsFor('chat', values), values);
});
