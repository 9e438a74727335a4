import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lib/paths.mjs';
import { which } from '../lib/run.mjs';
import { tryIt } from '../lib/start-platform.mjs';

const COMMANDS = tryIt('http://127.0.0.1:8787');
const wellKnown = readFileSync(join(ROOT, 'shared/domain/src/well_known_passwords.txt'), 'utf8').split('\n');

test('the passwords that we tell people to try are taken', () => {
  for (const text of [COMMANDS, readFileSync(join(ROOT, 'README.md'), 'utf8')]) {
    const passwords = [...text.matchAll(/"password":"([^"]*)"/g)].map(([, password]) => password);
    assert.ok(passwords.length > 0);
    for (const password of passwords) assert.ok(password.length >= 12 && !wellKnown.includes(password.toLowerCase()), password);
  }
});

for (const shell of ['sh', 'bash', 'zsh'].filter(which)) {
  test(`${shell} sends what was meant`, () => {
    // A `curl` that shows its arguments, and answers the registration.
    const curl = `curl() { printf '%s\\n' "$@" >&2; printf '{"user":{},"access_token":"t0ken","refresh_token":"r"}'; }\n`;
    const output = execFileSync(shell, ['-c', `(${curl}${COMMANDS}\n) 2>&1 >/dev/null`], { encoding: 'utf8' });
    const bodies = output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.match(bodies[0].email, /^you-\d{10}@example\.com$/);
    assert.equal(bodies[1].model, 'tollgate/extractive');
    assert.ok(output.includes('authorization: Bearer t0ken\n'));
  });
}
