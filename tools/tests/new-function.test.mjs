// On a copy of this repository's own tables, not on invented ones: a table that moves fails here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'smol-toml';
import { ROOT } from '../lib/paths.mjs';
import { which } from '../lib/run.mjs';
import { newFunction } from '../new-function.mjs';

const TABLES = ['wrangler.toml', 'functions/gateway/src/routes.rs', 'tests/openapi/Cargo.toml', 'tests/openapi/src/lib.rs'];

const folders = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function copyOfTheTables() {
  const root = mkdtempSync(join(tmpdir(), 'tollgate-new-function-'));
  folders.push(root);
  const besides = ['rustfmt.toml', 'rust-toolchain.toml', 'functions/gateway/Cargo.toml', 'tests/openapi']; // rustfmt follows `mod`
  for (const path of [...TABLES, ...besides]) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  return root;
}

const read = (root, path) => readFileSync(join(root, path), 'utf8');

/** The pairs in the gateway's table, whatever its line breaks. */
function routes(root) {
  const [, table] = /FUNCTIONS: &\[\(&str, &str\)\] = &\[([^\]]*)\];/.exec(read(root, 'functions/gateway/src/routes.rs'));
  return [...table.matchAll(/\("([^"]*)", "([^"]*)"\)/g)].map(([, segment, binding]) => [segment, binding]);
}

function withoutEmptyLines(text) {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** The lines that a file gained; fails when it lost one. */
function gained(root, path) {
  const before = withoutEmptyLines(read(ROOT, path));
  const now = withoutEmptyLines(read(root, path));
  for (const line of before) {
    assert.ok(now.includes(line), `${path} lost: ${line}`);
    now.splice(now.indexOf(line), 1);
  }
  return now.map((line) => line.trim());
}

test('a new function is in every table, once, and nothing else in them changes', () => {
  const root = copyOfTheTables();
  newFunction('made-up-here', { root });
  assert.deepEqual(gained(root, 'functions/gateway/src/routes.rs'), ['("made-up-here", "MADE_UP_HERE"),']);
  assert.deepEqual(gained(root, 'wrangler.toml'), ['[[services]]', 'binding = "MADE_UP_HERE"', 'service = "tollgate-made-up-here"']);
  assert.deepEqual(gained(root, 'tests/openapi/Cargo.toml'), ['tollgate-made-up-here = { path = "../../functions/made-up-here" }']);
  assert.deepEqual(gained(root, 'tests/openapi/src/lib.rs'), ['("made-up-here", tollgate_made_up_here::ROUTES, tollgate_made_up_here::Docs::openapi()),']);
  assert.deepEqual(routes(root), [...routes(ROOT), ['made-up-here', 'MADE_UP_HERE']].sort());
  assert.deepEqual({ ...parse(read(root, 'wrangler.toml')).services.at(-1) }, { binding: 'MADE_UP_HERE', service: 'tollgate-made-up-here' });
  assert.ok(parse(read(root, 'tests/openapi/Cargo.toml')).dependencies['tollgate-made-up-here']);
});

test('every function in the table is bound', () => {
  const bound = parse(read(ROOT, 'wrangler.toml')).services.map(({ binding }) => binding);
  assert.ok(routes(ROOT).length > 0);
  for (const [segment, binding] of routes(ROOT)) assert.ok(bound.includes(binding), segment);
});

test('the table of functions may stand on one line', () => {
  const root = copyOfTheTables();
  const path = join(root, 'functions/gateway/src/routes.rs');
  const oneLine = (text) => text.replace(/(FUNCTIONS: &\[\(&str, &str\)\] = &\[)([^\]]*)(\];)/, (_, head, rows, end) => head + rows.trim().replaceAll(/\s*\n\s*/g, ' ').replace(/,$/, '') + end);
  writeFileSync(path, oneLine(readFileSync(path, 'utf8')));
  newFunction('made-up-here', { root });
  assert.deepEqual(routes(root), [...routes(ROOT), ['made-up-here', 'MADE_UP_HERE']].sort());
});

test('a second function goes beside the first', () => {
  const root = copyOfTheTables();
  newFunction('made-up-here', { root });
  newFunction('an-invention', { root });
  assert.deepEqual(routes(root), [...routes(ROOT), ['an-invention', 'AN_INVENTION'], ['made-up-here', 'MADE_UP_HERE']].sort());
});

test('a table that has moved leaves no half function', () => {
  for (const path of TABLES.slice(1)) {
    const root = copyOfTheTables();
    writeFileSync(join(root, path), '// nothing of it is here\n');
    assert.throws(() => newFunction('made-up-here', { root }), new RegExp(`not where it was in ${path}`));
    assert.ok(!existsSync(join(root, 'functions/made-up-here')), path);
  }
});

test('a name that is taken is refused', () => {
  const root = copyOfTheTables();
  for (const name of ['gateway', 'v1', 'api', 'openapi', 'assets', 'meter-fn', 'public-url', 'Hello', 'hello_world', '-x', undefined]) {
    assert.throws(() => newFunction(name, { root }), { name: 'Failure' }, String(name));
  }
});

test('what is written is as rustfmt has it', { skip: which('rustfmt') ? false : 'rustfmt is not installed' }, () => {
  const root = copyOfTheTables();
  const written = newFunction('made-up-here', { root }).filter((path) => path.endsWith('.rs'));
  assert.equal(written.length, 4);
  const { status, stdout, stderr } = spawnSync('rustfmt', ['--check', '--edition', '2024', '--config-path', root, ...written], { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
