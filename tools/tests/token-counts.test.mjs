import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committedCounts, committedHanBits, countTokens, hanBits } from '../lib/token-counts.mjs';

// The Rust test `the_estimate_is_within_its_bounds` compares the estimate with these figures.
test('the token counts that the estimate is held to are what o200k_base counts', () => {
  assert.deepEqual(committedCounts(), countTokens(), 'node tools/token-counts.mjs writes them anew');
});

test('the Chinese characters that count as one token are the ones that are one in o200k_base', () => {
  assert.deepEqual(committedHanBits(), hanBits());
});
