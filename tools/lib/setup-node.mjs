// The npm side of set-up: the locked packages, and Node 24 from the npm package `node`.
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_MAJOR, isNode24 } from './node24.mjs';
import { ROOT } from './paths.mjs';
import { Failure, say } from './report.mjs';
import { capture, runStep } from './run.mjs';

const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.tollgate-lock-hash');

/**
 * Installs exactly what package-lock.json names, once per lock file. Install scripts are off: none of the
 * packages needs its own (esbuild and workerd find their binaries by themselves, Node 24 follows below).
 */
export async function ensureNodePackages() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json'))).digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  await runStep('Installing npm packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    env: npmEnv(),
    hint: 'The machine must reach an npm registry (`npm ping` tells). If package.json was changed, run `npm install --ignore-scripts` once.',
  });
  writeFileSync(STAMP, hash);
}

/**
 * Puts Node 24 at node_modules/.bin/node, which npm scripts find before the system's.
 * The npm package `node` is a stub that fetches the package of this platform in an install script; npm blocks
 * install scripts, so its one step is done here.
 */
export async function ensureNode24() {
  const stub = join(MODULES, 'node');
  const target = join(stub, 'bin', 'node');
  if (existsSync(target)) {
    const { stdout } = await capture(target, ['--version']);
    if (stdout.startsWith(`v${NODE_MAJOR}.`)) return linkBinary();
  }
  const { version } = JSON.parse(readFileSync(join(stub, 'package.json'), 'utf8'));
  const { platform, arch } = process;
  const prefix = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${prefix}-${platform}-${arch}`;
  try {
    await runStep(`Installing Node ${version}`, 'npm', ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', stub, `${name}@${version}`], {
      cwd: stub,
      env: npmEnv(),
    });
    const source = join(stub, 'node_modules', name, 'bin', 'node');
    mkdirSync(join(stub, 'bin'), { recursive: true });
    rmSync(target, { force: true });
    try {
      linkSync(source, target);
    } catch {
      copyFileSync(source, target); // a file system without hard links
    }
    chmodSync(target, 0o755);
    const { code, stdout, stderr } = await capture(target, ['--version']);
    if (code !== 0 || !stdout.startsWith(`v${NODE_MAJOR}.`)) throw new Failure(`the installed Node does not run: ${(stdout + stderr).trim()}`);
    linkBinary();
  } catch (error) {
    // Not every platform has every version as a package. The machine's own Node does as well when it is new enough.
    rmSync(target, { force: true });
    if (isNode24()) {
      say(`Using the Node ${process.versions.node} that is installed.`);
      return;
    }
    throw new Failure(
      `Node ${version} could not be installed from the npm package ${name}: ${error.message}`,
      `Install Node ${NODE_MAJOR} yourself (https://nodejs.org, or a version manager such as nvm or fnm) and run the command again with it.`,
    );
  }
}

function linkBinary() {
  const link = join(MODULES, '.bin', 'node');
  if (existsSync(link)) return;
  mkdirSync(join(MODULES, '.bin'), { recursive: true });
  rmSync(link, { force: true }); // a dangling link does not "exist"
  symlinkSync('../node/bin/node', link);
}

/** The environment for a nested npm: without what an outer `npm start` put there about its own run. */
function npmEnv() {
  const env = { ...process.env };
  for (const key of Object.keys(env)) {
    if (/^npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix|config_global_prefix|config_prefix)/.test(key)) delete env[key];
  }
  return env;
}
