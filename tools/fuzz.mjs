// `npm run fuzz`: the parsers that the internet feeds, under libFuzzer (tests/fuzz). It needs a C++ compiler.
//
//   npm run fuzz                          each target for ten minutes, two at a time
//   npm run fuzz -- --seconds 60 cookie   these targets, as long as that
//
// What a run has learned stays in target/fuzz/corpus; an input that fails is printed and kept in target/fuzz/findings.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/paths.mjs';
import { Failure, runMain, say } from './lib/report.mjs';
import { capture, cargoMessages, runStep } from './lib/run.mjs';
import { ensureSetup } from './setup.mjs';

const PROJECT = join(ROOT, 'tests/fuzz');
const HOME = join(ROOT, 'target/fuzz');
const AT_ONCE = 2;

// What cargo-fuzz passes, less the sanitizers: those need a nightly compiler, and the code under test has no `unsafe`.
const COVERAGE = [
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map((option) => `-Cllvm-args=-sanitizer-coverage-${option}`),
  '--cfg=fuzzing',
].join(' ');

/** The targets' names. */
function targets() {
  return readdirSync(join(PROJECT, 'src/bin')).map((file) => basename(file, '.rs')).sort();
}

async function build() {
  const { stdout } = await capture('rustc', ['-vV']);
  const host = /^host: (.*)$/m.exec(stdout)?.[1];
  if (!host) throw new Failure('rustc does not say what it builds for');
  // With --target the flags are for the targets alone, not for what is run while they are built.
  const args = ['build', '--release', '--target', host, '--target-dir', HOME];
  await runStep('Building the fuzz targets', 'cargo', args, {
    cwd: PROJECT,
    env: { ...process.env, RUSTFLAGS: COVERAGE },
    hint: 'libFuzzer is built from C++: is there a compiler (c++)?',
    digest: cargoMessages,
  });
  return join(HOME, host, 'release');
}

/** Runs a target; answers what libFuzzer said at the end. */
async function fuzz(folder, name, seconds) {
  const corpus = join(HOME, 'corpus', name);
  const findings = join(HOME, 'findings', name) + '/';
  for (const path of [corpus, findings]) mkdirSync(path, { recursive: true });
  const args = [corpus, join(PROJECT, 'seeds', name), `-artifact_prefix=${findings}`, `-max_total_time=${seconds}`, '-max_len=4096', '-timeout=10', '-rss_limit_mb=2048', '-print_final_stats=1'];
  const child = spawn(join(folder, name), args, { cwd: PROJECT, stdio: ['ignore', 'ignore', 'pipe'] });
  const last = [];
  let covered = '';
  readline.createInterface({ input: child.stderr }).on('line', (line) => {
    covered = /cov: (\d+)/.exec(line)?.[1] ?? covered;
    last.push(line);
    if (last.length > 60) last.shift();
  });
  const code = await new Promise((done) => child.on('error', () => done(127)).on('close', (status) => done(status ?? 1)));
  const runs = /number_of_executed_units: (\d+)/.exec(last.join('\n'))?.[1] ?? '?';
  return { name, code, runs, covered, last };
}

await runMain(async () => {
  const { values, positionals } = parseArgs({ args: process.argv.slice(2), options: { seconds: { type: 'string', default: '600' } }, allowPositionals: true });
  const known = targets();
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Failure(`there is no fuzz target ${unknown.join(', ')}`, `The targets: ${known.join(', ')}.`);
  if (!/^[1-9]\d{0,5}$/.test(values.seconds)) throw new Failure(`--seconds is "${values.seconds}", not a number of seconds`);
  await ensureSetup({ for: 'check' });
  const folder = await build();
  const waiting = positionals.length > 0 ? positionals : known;
  const failed = [];
  const queue = [...waiting];
  const worker = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) {
      const { code, runs, covered, last } = await fuzz(folder, name, values.seconds);
      say(`${name}: ${values.seconds} s, ${runs} inputs, ${covered} edges, ${code === 0 ? 'no finding' : `FOUND SOMETHING (code ${code})`}`);
      if (code === 0) continue;
      failed.push(name);
      process.stderr.write(last.join('\n') + '\n');
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failed.length > 0) throw new Failure(`findings in ${failed.join(', ')}`, 'The input is in target/fuzz/findings; run its target with it as the only argument.');
});
