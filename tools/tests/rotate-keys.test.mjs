import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEnv } from 'node:util';
import { ROOT } from '../lib/paths.mjs';
import { nextSigningStage, withNewMasterKey } from '../lib/rotate-keys.mjs';
import { generateKeys, generateMasterKey, loadSettings } from '../settings.mjs';

const kids = ({ JWKS }) => JSON.parse(JWKS).keys.map(({ kid }) => kid);
const kid = ({ SIGNING_KEY }) => JSON.parse(SIGNING_KEY).kid;
const applied = (settings, { set }) => Object.fromEntries(Object.entries({ ...settings, ...set }).filter(([, value]) => value !== ''));

test('three stages change the signing key, and at each every token that is out verifies', () => {
  const before = generateKeys();
  const one = nextSigningStage(before, generateKeys);
  const first = applied(before, one);
  assert.deepEqual([one.stage, kid(first), kids(first).length, kids(first)[0]], [1, kid(before), 2, kid(before)]);
  const two = nextSigningStage(first, generateKeys);
  const second = applied(first, two);
  assert.deepEqual([two.stage, kid(second), kids(second), second.NEXT_SIGNING_KEY], [2, kids(first)[1], kids(first), undefined]);
  const three = nextSigningStage(second, generateKeys);
  const third = applied(second, three);
  assert.deepEqual([three.stage, kid(third), kids(third)], [3, kid(second), [kid(second)]]);
  assert.match(three.what, /15 minutes/);
  // And again from the beginning, with a key that was never there.
  const again = nextSigningStage(third, generateKeys);
  assert.equal(again.stage, 1);
  assert.equal(new Set([...kids(applied(third, again)), kid(before)]).size, 3);
  for (const settings of [first, second, third]) {
    assert.doesNotMatch(settings.JWKS, /"d"/, 'no private half in the set');
    loadSettings({ root: mkdtempSync(join(tmpdir(), 'tollgate-rotate-')), env: settings });
  }
});

test('a JWKS that follows from the key, and one with keys of other kinds, are one key', () => {
  const keys = generateKeys();
  assert.equal(nextSigningStage({ SIGNING_KEY: keys.SIGNING_KEY }, generateKeys).stage, 1);
  const others = JSON.stringify({ keys: [{ kty: 'RSA', kid: 'x', n: 'AQAB', e: 'AQAB' }, ...JSON.parse(keys.JWKS).keys] });
  assert.equal(nextSigningStage({ ...keys, JWKS: others }, generateKeys).stage, 1);
});

test('what does not fit together is refused', () => {
  const [keys, others] = [generateKeys(), generateKeys()];
  for (const [settings, why] of [
    [{}, /SIGNING_KEY is not set/],
    [{ SIGNING_KEY: 'x' }, /not JSON/],
    [{ SIGNING_KEY: JSON.stringify(JSON.parse(keys.JWKS).keys[0]) }, /private/],
    [{ SIGNING_KEY: keys.SIGNING_KEY, JWKS: others.JWKS }, /public half of SIGNING_KEY/],
    [{ ...keys, NEXT_SIGNING_KEY: others.SIGNING_KEY }, /public half of NEXT_SIGNING_KEY/],
  ]) {
    assert.throws(() => nextSigningStage(settings, generateKeys), why);
  }
});

test('a new master key is the newest, and the others stay', () => {
  const first = generateMasterKey();
  const second = withNewMasterKey(first, generateMasterKey);
  assert.match(second, /^2:[\w-]{43},1:[\w-]{43}$/);
  assert.ok(second.endsWith(first));
  assert.match(withNewMasterKey('10:a, 9:b', generateMasterKey), /^11:[\w-]{43},10:a,9:b$/);
  assert.throws(() => withNewMasterKey(undefined, generateMasterKey), /not set/);
});

test('the commands print lines for a file of settings', () => {
  const keys = { ...generateKeys(), MASTER_KEYS: generateMasterKey(), NEXT_SIGNING_KEY: '' };
  const run = (command, env) => parseEnv(execFileSync(process.execPath, [join(ROOT, 'tools/settings.mjs'), command], { env: { ...process.env, ...env }, encoding: 'utf8' }));
  const stage = run('rotate-keys', keys);
  assert.deepEqual(Object.keys(stage).sort(), ['JWKS', 'NEXT_SIGNING_KEY']);
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-rotate-'));
  writeFileSync(join(folder, '.env'), '');
  assert.equal(run('rotate-keys', { ...keys, ...stage }).SIGNING_KEY, stage.NEXT_SIGNING_KEY);
  assert.ok(run('rotate-master-key', keys).MASTER_KEYS.endsWith(keys.MASTER_KEYS));
  assert.throws(() => run('rotate-everything', keys), /is not known/);
});
