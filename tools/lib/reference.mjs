// docs/REFERENCE.md: the lists that would be false a month after somebody wrote them by hand. Each comes from the place
// that the code itself reads: problem codes from the OpenAPI document, settings from settings.mjs and .env.example,
// jobs from the table of `cron`, functions from their routes and their wrangler.toml.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTING_TARGETS } from '../settings.mjs';
import { listFunctions } from './functions.mjs';
import { ROOT } from './paths.mjs';
import { readConfig } from './worker-options.mjs';

/** Settings that the tools read and no function gets. */
export const TOOL_SETTINGS = ['PORT', 'STATE_DIR', 'TOLLGATE_SKIP_BUILD', 'D1_SHARDS'];

/** The whole page. @returns {string} */
export function reference() {
  return [
    '# Reference',
    '',
    '`npm run docs` writes this page from the code; a test compares it. Change the code, not this page.',
    '',
    '- [Problem codes](#problem-codes)',
    '- [Settings](#settings)',
    '- [Functions](#functions)',
    '- [Jobs](#jobs)',
    '',
    '## Problem codes',
    '',
    'Every error is `application/problem+json` with one of these in `code`. Under `/v1` it also has the `error` member that OpenAI\'s SDKs read.',
    '',
    table(['status', 'code', 'what it means', 'what to do'], problems().map(({ status, code, meaning, action }) => [String(status), `\`${code}\``, meaning, action])),
    '',
    '## Settings',
    '',
    'From the environment or from `.env`; the environment wins. In a deployment they are variables and secrets of the functions named here.',
    '',
    table(['setting', 'read by', 'what it is'], settings().map(({ name, to, text }) => [`\`${name}\``, to, text])),
    '',
    '## Functions',
    '',
    'Each is one crate in `functions/` and one Worker. Only the gateway is reached from the internet.',
    '',
    table(['function', 'what it is', 'addresses', 'binds'], functions().map(({ name, about, addresses, binds }) => [`\`${name}\``, about, addresses, binds])),
    '',
    '## Jobs',
    '',
    'What runs by the clock, in the function `cron`. [OPERATIONS.md](OPERATIONS.md#jobs) says how to see and start them.',
    '',
    table(['job', 'when (UTC)', 'what it does'], jobs().map(({ name, when, text }) => [`\`${name}\``, when, text])),
    '',
  ].join('\n');
}

/** @returns {{status: number, code: string, meaning: string, action: string}[]} by status */
export function problems() {
  const document = JSON.parse(read('docs/openapi.json'));
  return [...document['x-problems']].sort((a, b) => a.status - b.status);
}

/** Every setting, with what `.env.example` says of it. @returns {{name: string, to: string, text: string}[]} */
export function settings() {
  const explained = explainedSettings();
  const targets = { ...Object.fromEntries(TOOL_SETTINGS.map((name) => [name, 'the tools'])), ...SETTING_TARGETS };
  return [...explained].map(([name, text]) => {
    const to = targets[name];
    return { name, to: Array.isArray(to) ? to.map((one) => `\`${one}\``).join(' ') : (to ?? ''), text };
  });
}

/** The names in `.env.example`, in its order, with the comment above each. @returns {Map<string, string>} */
export function explainedSettings() {
  const found = new Map();
  let comment = [];
  for (const line of read('.env.example').split('\n')) {
    const setting = /^([A-Z][A-Z0-9_]*)=/.exec(line);
    if (setting) {
      found.set(setting[1], comment.join(' '));
      comment = [];
    } else if (/^# ---/.test(line)) {
      comment = [];
    } else if (line.startsWith('#')) {
      comment.push(line.replace(/^#\s?/, ''));
    } else {
      comment = [];
    }
  }
  return found;
}

/** @returns {{name: string, about: string, addresses: string, binds: string}[]} */
export function functions() {
  return listFunctions().map((place) => {
    const { toml } = readConfig(place);
    const about = /^description = "(.*)"$/m.exec(read(`functions/${place.name}/Cargo.toml`))[1];
    const routes = [...read(`functions/${place.name}/src/lib.rs`).matchAll(/^ *(?:get|post|put|patch|delete) "([^"]+)" =>/gm)].map(([, path]) => path);
    const names = (list, key) => (list ?? []).map((entry) => entry[key]);
    const binds = [
      ...names(toml.d1_databases, 'binding'),
      ...names(toml.kv_namespaces, 'binding'),
      ...names(toml.durable_objects?.bindings, 'name'),
      ...names(toml.queues?.producers, 'binding'),
      ...names(toml.queues?.consumers, 'queue').map((queue) => `consumes ${queue}`),
      ...names(toml.services, 'binding'),
    ];
    return { name: place.name, about, addresses: beginnings(routes), binds: binds.map((one) => `\`${one}\``).join(' ') };
  });
}

/** The first segments that routes begin with, two where there are two. */
function beginnings(routes) {
  const first = new Set(routes.map((path) => '/' + path.split('/').filter((part) => !part.startsWith('{')).slice(1, 3).join('/')));
  return [...first].sort().map((one) => `\`${one}\``).join(' ');
}

/** @returns {{name: string, when: string, text: string}[]} */
export function jobs() {
  const source = read('functions/cron/src/jobs.rs');
  const docs = new Map([...source.matchAll(/((?:^ {4}\/\/\/ .*\n)+) {4}(\w+),\n/gm)].map(([, text, variant]) => [variant, text.replaceAll(/ *\/\/\/ /g, '').trim().replaceAll('\n', ' ')]));
  return [...source.matchAll(/^ {4}Entry\(Job::(\w+), "(\w+)", (None|Some\("([^"]+)"\))\),$/gm)].map(([, variant, name, , cron]) => ({
    name,
    when: cron ? `\`${cron}\`` : 'by hand only',
    text: docs.get(variant) ?? '',
  }));
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function read(path) {
  return readFileSync(join(ROOT, path), 'utf8');
}
