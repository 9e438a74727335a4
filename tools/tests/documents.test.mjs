// The documents say what is: links lead somewhere, files and commands that they name are there, tests they name exist,
// generated lists are current, and the README stays short.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lib/paths.mjs';
import { kitsAsMarkdown } from '../lib/kits.mjs';
import { explainedSettings, reference, TOOL_SETTINGS } from '../lib/reference.mjs';
import { SETTING_NAMES } from '../settings.mjs';

const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...globSync('docs/*.md', { cwd: ROOT }), 'tests/bench/README.md'].sort();
const withoutFences = (text) => text.replace(/^```[\s\S]*?^```/gm, '');
const spans = (text) => [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
const sources = files.filter((path) => /\.(rs|mjs|js|ts)$/.test(path) && existsSync(join(ROOT, path))).map(read);

test('the README is shorter than 8 kB', () => {
  const bytes = Buffer.byteLength(read('README.md'));
  assert.ok(bytes < 8_000, `${bytes} bytes`);
});

test('docs/REFERENCE.md is what the code says', () => {
  assert.equal(read('docs/REFERENCE.md'), reference(), 'npm run docs writes it anew');
});

test('every setting is explained in .env.example, and nothing else is', () => {
  // ENVIRONMENT is not for people to set: `npm start` and the files of a deployment do.
  const names = [...SETTING_NAMES, ...TOOL_SETTINGS].filter((name) => name !== 'ENVIRONMENT');
  const explained = explainedSettings();
  assert.deepEqual([...explained.keys()].sort(), names.sort());
  for (const [name, text] of explained) assert.ok(text.length > 10, `${name} has no comment of its own`);
});

test('docs/SDKS.md has the table of kits that /api/docs shows', () => {
  assert.ok(read('docs/SDKS.md').includes(kitsAsMarkdown()), 'copy it from tools/lib/kits.mjs');
});

test('links lead to files and headings that are there', () => {
  const wrong = [];
  for (const path of documents) {
    for (const [, target] of withoutFences(read(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file, anchor] = target.split('#');
      const full = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(ROOT, full))) wrong.push(`${path}: ${target}`);
      else if (anchor && !headings(full).has(anchor)) wrong.push(`${path}: ${target} (no such heading)`);
    }
  }
  assert.deepEqual(wrong, []);
});

function headings(path) {
  const text = withoutFences(read(path));
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));
}

test('files that are named in a document are there', () => {
  const wrong = [];
  for (const path of documents.filter((name) => name !== 'CHANGELOG.md')) {
    for (const span of spans(read(path))) {
      const named = /^((?:functions|shared|tests|tools|docs|d1-migrations)\/[\w./{},*<>-]+)$/.exec(span)?.[1];
      // <name> stands for any, and recipes invent what is to be made.
      if (!named || /[<>*]/.test(named) || /greetings|whoami|tickets|count_tickets/.test(named)) continue;
      for (const one of expand(named)) if (!existsSync(join(ROOT, one))) wrong.push(`${path}: ${one}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** `a/{b,c}.rs` names two files. */
function expand(path) {
  const group = /^(.*)\{([^}]*)\}(.*)$/.exec(path);
  if (!group) return [path];
  return group[2].split(',').flatMap((part) => expand(group[1] + part + group[3]));
}

test('commands that are named in a document are there', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const wrong = [];
  for (const path of documents) {
    for (const [, name] of read(path).matchAll(/npm run (?:--silent )?([\w:-]+)/g)) if (!scripts[name]) wrong.push(`${path}: npm run ${name}`);
    for (const [, file] of read(path).matchAll(/node (tools\/[\w/-]+\.mjs)/g)) if (!existsSync(join(ROOT, file))) wrong.push(`${path}: ${file}`);
  }
  assert.deepEqual(wrong, []);
});

test('tests that are named in a document exist', () => {
  const wrong = [];
  const named = new Set(sources.flatMap((text) => [...text.matchAll(/fn ([a-z][a-z0-9_]*)\s*\(/g)].map(([, name]) => name)));
  for (const path of ['SECURITY.md', ...globSync('docs/*.md', { cwd: ROOT })]) {
    const text = read(path);
    // A sentence as a Rust function: four words and more, so that columns and jobs are not taken for one.
    for (const span of spans(text)) if (/^[a-z0-9]+(?:_[a-z0-9]+){4,}$/.test(span) && !named.has(span)) wrong.push(`${path}: ${span}`);
    for (const [, name] of text.matchAll(/e2e `([a-z-]+)`/g)) if (!existsSync(join(ROOT, `tests/e2e/${name}.test.mjs`))) wrong.push(`${path}: e2e ${name}`);
  }
  assert.deepEqual(wrong, []);
});

test('nothing refers to papers that are not in the repository', () => {
  const wrong = files.filter((path) => /\.(rs|mjs|md|toml|sql)$/.test(path) && existsSync(join(ROOT, path)) && path !== 'tools/tests/documents.test.mjs' && /\bcontract\.md|platform-facts\.md|shared\/design/.test(read(path)));
  assert.deepEqual(wrong, []);
});
