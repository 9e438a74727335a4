import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripNames } from '../lib/strip-names.mjs';

// (module (func $double (export "double") (param i32) (result i32) local.get 0 i32.const 2 i32.mul)), with a custom
// section "other" before it and the names after it.
const MODULE = Buffer.from(
  '0061736d01000000' + '0008056f746865720102' + '0106016001' + '7f017f' + '03020100' + '070a0106646f75626c650000' + '0a09010700200041026c0b' + '0010046e616d650109010006646f75626c65',
  'hex',
);

test('the names go, everything else stays and runs', () => {
  assert.ok(WebAssembly.validate(MODULE));
  const stripped = stripNames(MODULE);
  const module = new WebAssembly.Module(stripped);
  assert.equal(WebAssembly.Module.customSections(module, 'name').length, 0);
  assert.equal(WebAssembly.Module.customSections(module, 'other').length, 1);
  assert.equal(new WebAssembly.Instance(module).exports.double(21), 42);
  assert.equal(stripped.length, MODULE.length - 18);
});
