// The Rust side of set-up: toolchain and target through rustup, a C linker, and the tools that cargo installs
// into the per-user cache.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { withLock } from './lock.mjs';
import { cacheDir, ROOT } from './paths.mjs';
import { Failure, say } from './report.mjs';
import { capture, cargoMessages, lastLines, runStep, which } from './run.mjs';

const TARGET = 'wasm32-unknown-unknown';

/** The versions of the tools that the repository does not lock elsewhere. */
const WORKER_BUILD_VERSION = '0.8.7';
const NEXTEST_VERSION = '0.9.143';
const NEXTEST_OLDEST = [0, 9, 100];

/**
 * Makes sure that the toolchain of rust-toolchain.toml is there, with the WASM target and these components.
 * Nothing is left to rustup's automatic installation: it may be switched off.
 *
 * @param {{components?: string[]}} [options]
 */
export async function ensureToolchain({ components = [] } = {}) {
  addCargoToPath();
  if (!which('rustup')) {
    throw new Failure(
      'rustup is not installed',
      "Install it (no root needed): curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal\nThen run the command again.",
    );
  }
  const channel = toolchainChannel();
  const hint = 'rustup must reach its server (https://static.rust-lang.org, or RUSTUP_DIST_SERVER).';
  const installed = await capture('rustup', ['toolchain', 'list']);
  if (!installed.stdout.split('\n').some((line) => line.startsWith(`${channel}-`) || line.startsWith(`${channel} `))) {
    await runStep(
      `Installing Rust ${channel}`,
      'rustup',
      ['toolchain', 'install', channel, '--profile', 'minimal', '-c', 'rustfmt', '-c', 'clippy', '-t', TARGET, '--no-self-update'],
      { hint },
    );
    return;
  }
  const targets = await capture('rustup', ['target', 'list', '--installed', '--toolchain', channel]);
  if (!targets.stdout.split('\n').includes(TARGET)) {
    await runStep(`Adding the Rust target ${TARGET}`, 'rustup', ['target', 'add', TARGET, '--toolchain', channel], { hint });
  }
  if (components.length > 0) {
    const present = (await capture('rustup', ['component', 'list', '--installed', '--toolchain', channel])).stdout;
    const missing = components.filter((name) => !new RegExp(`^${name}\\b`, 'm').test(present));
    if (missing.length > 0) {
      await runStep(`Adding ${missing.join(' and ')}`, 'rustup', ['component', 'add', ...missing, '--toolchain', channel], { hint });
    }
  }
}

/** Checks that a C compiler links: cargo needs it for build scripts and procedural macros. */
export async function ensureLinker() {
  const mac = 'macOS: `xcode-select --install`.';
  const linux = 'Debian, Ubuntu: `apt-get install gcc libc6-dev` (as root). Fedora: `dnf install gcc`. Alpine: `apk add build-base`.';
  const hint = process.platform === 'darwin' ? mac : linux;
  if (!which('cc')) throw new Failure('no C linker (`cc`) is on PATH; Rust needs one to link programs that run while building', hint);
  const { code, stderr } = await capture('cc', ['-x', 'c', '-', '-o', '/dev/null'], { input: 'int main(void){return 0;}\n' });
  if (code !== 0) throw new Failure(`the C linker \`cc\` does not work: ${stderr.trim().split('\n').pop()}`, hint);
}

/**
 * Makes sure that these tools are there, and puts them on PATH.
 *
 * @param {('worker-build' | 'wasm-bindgen-cli' | 'cargo-nextest')[]} names
 */
export async function ensureRustTools(names) {
  for (const name of names) {
    if (name === 'cargo-nextest' && (await nextestOnPath())) continue;
    const tool = await toolPlace(name);
    if (!existsSync(join(tool.bin, tool.program))) await install(tool);
    prependPath(tool.bin);
  }
}

/** The path of an installed tool's program, for the build. Call `ensureRustTools` first. */
export async function toolProgram(name) {
  const tool = await toolPlace(name);
  return join(tool.bin, tool.program);
}

let hostTriple;

async function toolPlace(name) {
  hostTriple ??= /^host: (.*)$/m.exec((await capture('rustc', ['-vV'])).stdout)?.[1];
  if (!hostTriple) throw new Failure('rustc does not tell its host', 'Try `rustc -vV` in this folder.');
  const [version, program, locked] = {
    'worker-build': [WORKER_BUILD_VERSION, 'worker-build', true],
    // Its lock file names dependencies that some mirrors lack; the version must equal the library's.
    'wasm-bindgen-cli': [wasmBindgenVersion(), 'wasm-bindgen', false],
    // Refuses to be built without its lock file.
    'cargo-nextest': [NEXTEST_VERSION, 'cargo-nextest', true],
  }[name];
  const folder = join(cacheDir(), 'tools', `${name}-${version}-${hostTriple}`);
  return { name, version, program, locked, folder, bin: join(folder, 'bin') };
}

// Debug builds without debug info: these tools are quick enough so, and install in a quarter of the time.
async function install(tool) {
  const tools = join(cacheDir(), 'tools');
  mkdirSync(tools, { recursive: true });
  await withLock(join(tools, '.lock'), 'another checkout installs tools', async () => {
    if (existsSync(join(tool.bin, tool.program))) return; // the other one did it
    sweep(tools);
    const staging = join(tools, `.staging-${process.pid}`);
    const buildDir = join(tools, '.target');
    const args = ['install', '--debug', '--root', staging, '--version', tool.version, '--no-track', tool.name, '--bin', tool.program];
    const env = { ...process.env, CARGO_PROFILE_DEV_DEBUG: '0', CARGO_TARGET_DIR: buildDir, CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS: 'fallback' };
    delete env.RUSTFLAGS; // flags meant for the platform's own code
    const hint = 'cargo must reach its registry (or the mirror in your cargo configuration).';
    const title = `Installing ${tool.name} ${tool.version}`;
    const digest = (output) => cargoMessages(lastLines(output));
    try {
      if (tool.locked) {
        try {
          await runStep(`${title} (once per machine, a minute or three)`, 'cargo', [...args, '--locked'], { env, hint, digest });
        } catch (error) {
          if (tool.name === 'cargo-nextest') throw error;
          say('  its own lock file could not be followed; trying with current dependencies');
          await runStep(title, 'cargo', args, { env, hint, digest });
        }
      } else {
        await runStep(`${title} (once per machine, a minute or two)`, 'cargo', args, { env, hint, digest });
      }
      rmSync(tool.folder, { recursive: true, force: true });
      renameSync(staging, tool.folder);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  });
  // Kept until the last tool is in, since they share dependencies.
  const last = (await Promise.all(['worker-build', 'wasm-bindgen-cli'].map(toolPlace))).every((t) => existsSync(join(t.bin, t.program)));
  if (last) rmSync(join(tools, '.target'), { recursive: true, force: true });
}

// What a killed installation left behind. We hold the lock: nobody uses it.
function sweep(tools) {
  for (const entry of readdirSync(tools)) {
    if (entry.startsWith('.staging-')) rmSync(join(tools, entry), { recursive: true, force: true });
  }
}

async function nextestOnPath() {
  if (!which('cargo-nextest')) return false;
  const { stdout } = await capture('cargo-nextest', ['nextest', '--version']);
  const version = /cargo-nextest (\d+)\.(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number);
  if (!version) return false;
  for (let i = 0; i < 3; i++) {
    if (version[i] !== NEXTEST_OLDEST[i]) return version[i] > NEXTEST_OLDEST[i];
  }
  return true;
}

/** The version of `wasm-bindgen` that the workspace is locked to; the command line tool must be the same. */
export function wasmBindgenVersion() {
  const lock = join(ROOT, 'Cargo.lock');
  const locked = existsSync(lock) && /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(readFileSync(lock, 'utf8'))?.[1];
  const wanted = /^wasm-bindgen\s*=\s*"=([^"]+)"/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))?.[1];
  const version = locked || wanted;
  if (!version) throw new Failure('Cargo.lock does not name wasm-bindgen', 'Run `cargo metadata --format-version 1` once to write the lock file.');
  return version;
}

function toolchainChannel() {
  const channel = /^channel\s*=\s*"([^"]+)"/m.exec(readFileSync(join(ROOT, 'rust-toolchain.toml'), 'utf8'))?.[1];
  if (!channel) throw new Failure('rust-toolchain.toml names no channel');
  return channel;
}

// A rustup that was just installed is not yet on the PATH of the terminal it was installed from.
function addCargoToPath() {
  if (which('rustup')) return;
  const bin = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin');
  if (existsSync(join(bin, 'rustup'))) prependPath(bin);
}

function prependPath(folder) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  if (!folders.includes(folder)) process.env.PATH = [folder, ...folders].join(delimiter);
}
