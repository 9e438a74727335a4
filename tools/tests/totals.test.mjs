import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTap } from '../lib/platform-steps.mjs';
import { parseNextest } from '../lib/rust-steps.mjs';

test("nextest's summary is read with colours, notes and every kind of failure", () => {
  const colourful = '\x1b[32m     Summary\x1b[0m [   1.2s] 21 tests run: 18 passed (1 slow, 2 leaky), 1 failed, 1 exec failed, 1 timed out, 3 skipped\nerror: test run failed';
  assert.deepEqual(parseNextest(colourful), { passed: 18, failed: 3, skipped: 3 });
  assert.deepEqual(parseNextest('     Summary [ 0.005s] 10/20 tests run: 9 passed, 1 failed, 4 skipped'), { passed: 9, failed: 1, skipped: 4 });
});

test('without a summary nothing was counted', () => {
  assert.deepEqual(parseNextest('error: could not compile'), { passed: 0, failed: 0, skipped: 0 });
  assert.deepEqual(parseTap(''), { passed: 0, failed: 0, skipped: 0 });
});

test("node's counts are the last ones of the report", () => {
  assert.deepEqual(parseTap('# pass 99\n# pass 3\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 1\n'), { passed: 3, failed: 2, skipped: 3 });
});
