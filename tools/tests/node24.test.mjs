// Handing over to Node 24.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { node24 } from '../lib/node24.mjs';
import { ROOT } from '../lib/paths.mjs';

test('an older Node without the package is an error, never itself', () => {
  const root = mkdtempSync(join(tmpdir(), 'tollgate-node24-'));
  try {
    assert.throws(() => node24({ root, version: '20.20.2' }), /Node 24 is not set up here/);
    assert.equal(node24({ root, version: '24.1.0' }), process.execPath);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('help for the benchmark needs nothing that is set up', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(ROOT, 'tools', 'bench.mjs'), '--help'], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(status, 0);
  assert.match(stdout, /--quick/);
});
