// Sets up what a clone needs. Runs on Node 20 without node_modules; everything already there is skipped.
//
//   node tools/setup.mjs [start|test]      prepare and end
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheDir, ROOT } from './lib/paths.mjs';
import { dim, duration, Failure, runMain, say } from './lib/report.mjs';
import { which } from './lib/run.mjs';
import { ensureNode24, ensureNodePackages } from './lib/setup-node.mjs';
import { ensureLinker, ensureRustTools, ensureToolchain } from './lib/setup-rust.mjs';

/**
 * Makes sure that everything a command needs is there, and puts it on this process's PATH.
 *
 * - `start`, `dev`, `build`: npm packages, Node 24, the Rust toolchain with the WASM target, worker-build, wasm-bindgen
 * - `test`, `check`: the same, and rustfmt, clippy, cargo-nextest
 *
 * @param {{for?: 'start' | 'dev' | 'build' | 'test' | 'check'}} [options]
 * @returns {Promise<void>}
 */
export async function ensureSetup({ for: purpose = 'start' } = {}) {
  if (process.env.TOLLGATE_SETUP_DONE === '1') return;
  const started = Date.now();
  checkMachine();
  await ensureNodePackages();
  await ensureNode24();
  const forTests = purpose === 'test' || purpose === 'check';
  // `npm start` with a finished build needs no compiler at all.
  if (!(purpose === 'start' && process.env.TOLLGATE_SKIP_BUILD === '1')) {
    await ensureToolchain({ components: forTests ? ['rustfmt', 'clippy'] : [] });
    await ensureLinker();
    await ensureRustTools(forTests ? ['worker-build', 'wasm-bindgen-cli', 'cargo-nextest'] : ['worker-build', 'wasm-bindgen-cli']);
  }
  process.env.TOLLGATE_SETUP_DONE = '1';
  say(dim(`Set-up checked in ${duration(Date.now() - started)} (tools: ${cacheDir()})`));
}

function checkMachine() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Failure(
      `Node ${process.versions.node} is too old: set-up itself needs Node 20 or newer`,
      'Install it from your system\'s packages or https://nodejs.org; the Node 24 that the platform runs on is fetched by itself.',
    );
  }
  if (process.platform === 'win32') {
    throw new Failure('Windows is supported through WSL 2 only', 'Open a WSL terminal (Debian or Ubuntu) and run the same command there.');
  }
  if (!which('npm')) {
    throw new Failure('npm is not on PATH', 'Debian: `apt-get install npm` (as root). macOS: `brew install node`. Or https://nodejs.org.');
  }
  if (!existsSync(join(ROOT, 'package-lock.json'))) {
    throw new Failure('package-lock.json is missing', 'Restore it with `git checkout package-lock.json`.');
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(() => ensureSetup({ for: process.argv[2] ?? 'test' }));
}
