// The steps of `npm test` that need the built platform.
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFunctions, wasmSizes } from '../build.mjs';
import { listFunctions } from './functions.mjs';
import { node24 } from './node24.mjs';
import { ROOT } from './paths.mjs';
import { say } from './report.mjs';
import { capture } from './run.mjs';
import { StepFailure } from './steps.mjs';

/**
 * Largest sizes in gzipped bytes. The gateway is in front of every request: it must start in no time. The others' limit is
 * an alarm: the platform takes 64 MiB since 2026-09-04, and each 100 kB costs about 2 ms at a start.
 */
const GATEWAY_LIMIT = 150_000;
const FUNCTION_LIMIT = 1_000_000;

/** Builds every function to WASM as it is deployed. */
export function buildStep() {
  return {
    name: 'WASM build',
    run: async () => {
      const { built } = await buildFunctions();
      if (built.length === 0) say('Everything is built.');
    },
  };
}

/** Asserts the size of each function. */
export function sizeStep() {
  return {
    name: 'WASM size',
    run: async () => {
      const tooLarge = [];
      for (const { name, raw, gzip } of wasmSizes()) {
        const limit = name === 'gateway' ? GATEWAY_LIMIT : FUNCTION_LIMIT;
        say(`${name.padEnd(20)} ${kb(raw)}, ${kb(gzip)} gzipped of ${kb(limit)}`);
        if (gzip > limit) tooLarge.push(`${name} has ${gzip} bytes gzipped, ${gzip - limit} too many`);
      }
      if (tooLarge.length > 0) throw new StepFailure(tooLarge.join('; '));
    },
  };
}

/** Asserts that the committed OpenAPI document is what the handlers describe. */
export function openApiStep() {
  return {
    name: 'OpenAPI document',
    run: async () => {
      const code = await inherit(node24(), ['tools/openapi.mjs', '--check']);
      if (code !== 0) throw new StepFailure('docs/openapi.json differs from the handlers; `npm run openapi` writes it anew');
    },
  };
}

/** Asserts that every function is deployable: `wrangler deploy --dry-run`, two at a time. */
export function dryRunStep() {
  return {
    name: 'Deployment (dry run)',
    run: async () => {
      const out = mkdtempSync(join(tmpdir(), 'tollgate-dry-run-'));
      const failures = [];
      const waiting = listFunctions();
      const work = async () => {
        for (let place = waiting.shift(); place; place = waiting.shift()) {
          const args = [join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js'), 'deploy', '--dry-run', '-c', place.config, '--outdir', join(out, place.name)];
          const { code, stdout, stderr } = await capture(node24(), args, {
            env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: join(out, `${place.name}.log`), NO_COLOR: '1' },
          });
          const upload = /Total Upload: (.*)/.exec(stdout)?.[1];
          // A dry run that says nothing about an upload did not get that far, whatever its code.
          if (code === 0 && upload) say(`${place.name.padEnd(20)} ${upload}`);
          else failures.push(`${place.name}: ${(stderr || stdout).trim()}`);
        }
      };
      try {
        await Promise.all([work(), work()]);
      } finally {
        rmSync(out, { recursive: true, force: true });
      }
      if (failures.length > 0) throw new StepFailure(`wrangler refuses\n${failures.join('\n')}`);
    },
  };
}

/** Tests of these tools themselves. */
export function toolTestStep() {
  return { name: 'Tool tests', run: () => nodeTests(globSync('tools/tests/*.test.mjs', { cwd: ROOT })) };
}

/**
 * Runs the black-box tests against real platforms.
 * @param {string[]} files all of tests/e2e when empty
 */
export function endToEndStep(files = []) {
  return {
    name: 'End-to-end tests',
    run: () => nodeTests(files.length > 0 ? files : globSync('tests/e2e/**/*.test.mjs', { cwd: ROOT }).sort()),
  };
}

async function nodeTests(files) {
  if (files.length === 0) throw new StepFailure('there are no test files');
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-report-'));
  const report = join(folder, 'report.tap');
  try {
    // Most files start a platform of their own: more at once than cores only makes time limits fail.
    const concurrency = Math.max(1, Math.min(availableParallelism(), 4));
    const code = await inherit(
      node24(),
      [
        '--test',
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${process.env.SOAK ? 3 * 60 * 60 * 1000 : 300_000}`,
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        '--test-reporter=tap',
        `--test-reporter-destination=${report}`,
        ...files,
      ],
      { ...process.env, TOLLGATE_SETUP_DONE: '1' },
    );
    const totals = existsSync(report) ? parseTap(readFileSync(report, 'utf8')) : { passed: 0, failed: 0, skipped: 0 };
    if (code !== 0 || totals.failed > 0) {
      throw new StepFailure(totals.failed > 0 ? `${totals.failed} tests failed` : 'the tests did not run to their end', totals);
    }
    return totals;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Reads the counts at the end of node's TAP report.
 * @param {string} report
 * @returns {import('./steps.mjs').Totals}
 */
export function parseTap(report) {
  // The last one of each: a test may print such a line itself.
  const count = (name) => Number([...report.matchAll(new RegExp(`^# ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail') + count('cancelled'), skipped: count('skipped') + count('todo') };
}

function inherit(program, args, env = process.env) {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: 'inherit' });
    child.on('error', () => done(127));
    child.on('close', (code) => done(code ?? 1));
  });
}

function kb(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
}
