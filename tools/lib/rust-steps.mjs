// The steps that cargo does: formatting, lints and host tests.
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { listFunctions } from './functions.mjs';
import { ROOT } from './paths.mjs';
import { say } from './report.mjs';
import { which } from './run.mjs';
import { StepFailure } from './steps.mjs';

/** The steps of `npm run check`. @returns {import('./steps.mjs').Step[]} */
export function checkSteps() {
  return [formatStep(), clippyStep(), hostTestStep()];
}

/** Formatting. */
export function formatStep() {
  return { name: 'Formatting', run: () => cargo(['fmt', '--all', '--check'], 'the formatting differs; `cargo fmt --all` corrects it') };
}

/** Lints of everything, built for this machine. */
export function clippyStep() {
  return { name: 'Clippy (host)', run: () => cargo(['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'], 'clippy has complaints') };
}

/** Lints of what runs at the edge, built for WASM: code behind `cfg(target_arch)` is only seen here. */
export function wasmClippyStep() {
  const packages = ['tollgate-platform', ...listFunctions().map((place) => place.package)].flatMap((name) => ['-p', name]);
  return {
    name: 'Clippy (WASM)',
    run: () => cargo(['clippy', '--target', 'wasm32-unknown-unknown', '--lib', ...packages, '--', '-D', 'warnings'], 'clippy has complaints about the WASM code'),
  };
}

/** Host tests, all of them even when one fails. */
export function hostTestStep() {
  return {
    name: 'Host tests',
    run: async () => {
      const { code, output } = await tee('cargo', ['nextest', 'run', '--workspace', '--no-fail-fast', '--no-tests=pass']);
      const totals = parseNextest(output);
      if (code !== 0) throw new StepFailure(totals.failed > 0 ? `${totals.failed} host tests failed` : 'the host tests did not run', totals);
      return totals;
    },
  };
}

/** The steps of `npm run nightly`. @returns {import('./steps.mjs').Step[]} */
export function nightlySteps() {
  return [propertyStep(), mutationStep()];
}

/** The property tests of metering, with a hundred times the cases of `npm test` unless METER_CASES says how many. */
function propertyStep() {
  return {
    name: 'Property tests',
    run: async () => {
      const args = ['nextest', 'run', '--package', 'tollgate-domain', 'interleaving', 'a_team_never'];
      const { code, output } = await tee('cargo', args, { METER_CASES: process.env.METER_CASES ?? '100000' });
      const totals = parseNextest(output);
      if (code !== 0) throw new StepFailure(totals.failed > 0 ? 'a rule does not hold' : 'the property tests did not run', totals);
      return totals;
    },
  };
}

/** Mutation tests, as .cargo/mutants.toml says. */
function mutationStep() {
  return {
    name: 'Mutation tests',
    run: async () => {
      if (!which('cargo-mutants')) {
        say('not run: cargo-mutants is not installed; `cargo install --locked cargo-mutants` gets it');
        return;
      }
      // A mutant has to be noticed, not explained: few cases, and no search for the smallest one.
      const env = { METER_CASES: '50', PROPTEST_MAX_SHRINK_ITERS: '0' };
      await cargo(['mutants', '--jobs', '2'], 'a mutant survived: mutants.out/missed.txt names it', env);
    },
  };
}

/**
 * Reads nextest's last line, e.g. `Summary [ 1.2s] 21 tests run: 19 passed (1 slow), 2 failed, 3 skipped`.
 *
 * @param {string} output
 * @returns {import('./steps.mjs').Totals} zeros when there is no such line (it did not compile)
 */
export function parseNextest(output) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const plain = output.replace(/\x1b\[[0-9;]*m/g, '');
  const summary = plain.split('\n').findLast((line) => /^\s*Summary \[/.test(line));
  if (!summary) return totals;
  const counts = summary.slice(summary.indexOf(':') + 1).replace(/\([^)]*\)/g, '');
  for (const [, number, what] of counts.matchAll(/(\d+) ([a-z ]+)/g)) {
    const kind = what.trim();
    if (kind === 'passed') totals.passed += Number(number);
    else if (kind === 'skipped') totals.skipped += Number(number);
    else if (['failed', 'exec failed', 'timed out', 'aborted'].includes(kind)) totals.failed += Number(number);
  }
  return totals;
}

async function cargo(args, failure, env = {}) {
  const child = spawn('cargo', args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'inherit' });
  const code = await ended(child);
  if (code !== 0) throw new StepFailure(failure);
}

// Shows the output and keeps it.
async function tee(program, args, more = {}) {
  const env = { ...process.env, ...more };
  if (process.stdout.isTTY && !env.NO_COLOR) env.CARGO_TERM_COLOR ??= 'always';
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['inherit', 'inherit', 'pipe'] });
  let output = '';
  const lines = readline.createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    output += line + '\n';
    process.stderr.write(line + '\n');
  });
  const closed = new Promise((done) => lines.on('close', done));
  const code = await ended(child);
  await closed;
  return { code, output };
}

function ended(child) {
  return new Promise((done) => {
    child.on('error', () => done(127));
    child.on('close', (code) => done(code ?? 1));
  });
}
