// Builds functions to WASM with worker-build: functions/<name>/build/{index.js,index_bg.wasm}.
//
//   node tools/build.mjs [name...] [--dev]      all functions when none is named
//
// What has not changed is not built again: each build leaves a fingerprint of everything it was made from.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { buildAssets } from './assets.mjs';
import { selectFunctions } from './lib/functions.mjs';
import { withLock } from './lib/lock.mjs';
import { ROOT } from './lib/paths.mjs';
import { dim, duration, Failure, runMain, say, startProgress } from './lib/report.mjs';
import { capture, cargoMessages, which } from './lib/run.mjs';
import { toolProgram } from './lib/setup-rust.mjs';
import { stripNames } from './lib/strip-names.mjs';
import { ensureSetup } from './setup.mjs';

const FINGERPRINT = '.tollgate-build.json';
/** Raised when this file changes what comes out of a build. */
const BUILD_VERSION = '3';
const TARGET = 'wasm32-unknown-unknown';

/**
 * Builds the functions whose inputs changed since they were last built.
 *
 * @param {object} [options]
 * @param {string[]} [options.names] all when empty
 * @param {'release' | 'dev'} [options.profile]
 * @param {string} [options.root] another workspace of the same shape (tests)
 * @returns {Promise<{built: string[], ms: number}>} the names that were built
 */
export async function buildFunctions({ names = [], profile = 'release', root = ROOT } = {}) {
  const started = Date.now();
  const selected = selectFunctions(names, { root });
  const findStale = () => {
    const shared = hashFiles(root, sharedInputs(root));
    return selected.filter((place) => readFingerprint(place)?.fingerprint !== fingerprint(inputs(root, place, profile, shared), root));
  };
  let stale = findStale();
  if (stale.length > 0) {
    await withLock(join(ROOT, 'node_modules', '.tollgate-build.lock'), 'another build of this checkout is running', async () => {
      stale = findStale(); // the other build may have done it
      if (stale.length > 0) await build(root, stale, profile);
    });
  }
  if (root === ROOT && selected.some((place) => place.name === 'gateway')) buildAssets();
  return { built: stale.map((place) => place.name), ms: Date.now() - started };
}

/**
 * The size of each built function, as the edge counts it.
 * @returns {{name: string, raw: number, gzip: number, profile: string}[]} bytes
 */
export function wasmSizes({ root = ROOT } = {}) {
  return selectFunctions([], { root })
    .filter((place) => existsSync(join(place.buildDir, 'index_bg.wasm')))
    .map((place) => {
      const wasm = readFileSync(join(place.buildDir, 'index_bg.wasm'));
      return { name: place.name, raw: wasm.length, gzip: gzipSync(wasm, { level: 9 }).length, profile: readFingerprint(place)?.profile ?? 'unknown' };
    });
}

/** The names of the functions that have never been built (a start without a build needs them all). */
export function missingBuilds({ root = ROOT } = {}) {
  return selectFunctions([], { root })
    .filter((place) => !existsSync(join(place.buildDir, 'index.js')))
    .map((place) => place.name);
}

// One cargo after the other compiles, each function is packed as soon as it is compiled: the packers (wasm-bindgen,
// wasm-opt, esbuild: a core each) fill the cores that the linker leaves idle.
async function build(root, places, profile) {
  const env = {
    ...process.env,
    // worker-build sets this for the code that wasm-bindgen's macros generate.
    WASM_BINDGEN_USE_JS_SYS: '1',
    WASM_BINDGEN_BIN: await toolProgram('wasm-bindgen-cli'),
    WASM_OPT_BIN: join(ROOT, 'node_modules', 'binaryen', 'bin', 'wasm-opt'),
    ESBUILD_BIN: esbuildBinary(),
    RUST_BACKTRACE: '0',
  };
  const progress = startProgress(`Building ${places.map((place) => place.name).join(', ')} (${profile})`);
  const slots = new Slots(availableParallelism());
  const packing = [];
  try {
    for (const place of places) {
      // Taken before cargo reads them: a file that is saved while it compiles makes this build stale.
      const from = inputs(root, place, profile, hashFiles(root, sharedInputs(root)));
      await compile(root, place, profile, env, (line) => progress.update(`${place.name}: ${line.trim()}`));
      const print = fingerprint(from, root);
      const packed = slots.run(() => pack(place, profile, env, print));
      packed.catch(() => {}); // awaited below
      packing.push(packed);
    }
    progress.update('packing');
    await Promise.all(packing);
  } catch (error) {
    await Promise.allSettled(packing);
    progress.failed();
    if (error.output) process.stderr.write(error.output);
    throw error;
  }
  progress.done();
}

// Function crates are libraries of two kinds: what runs at the edge (cdylib), and what host programs such as the
// OpenAPI collector link (rlib). cargo leaves link-time optimisation out, silently, as long as both are built in one
// go; asked for the first alone it optimises: a quarter smaller.
async function compile(root, place, profile, env, onLine) {
  const flags = profile === 'release' ? ['--release'] : [];
  const args = ['rustc', '--lib', ...flags, '--target', TARGET, '-p', place.package, '--crate-type', 'cdylib'];
  if (process.stderr.isTTY && !env.NO_COLOR) args.push('--color', 'always');
  const { code, stderr } = await capture('cargo', args, { cwd: root, env, onLine });
  if (code !== 0) throw withOutput(new Failure(`${place.name} does not compile`), stderr);
}

async function pack(place, profile, env, print) {
  rmSync(join(place.buildDir, FINGERPRINT), { force: true });
  rmSync(join(place.buildDir, '.tmp'), { recursive: true, force: true }); // a killed build's: worker-build would wait for it
  // worker-build would compile first, both kinds at once. The `cargo` it finds takes the compiled file as it is.
  const path = [join(ROOT, 'tools', 'compiled-already'), env.PATH].join(delimiter);
  const args = [place.dir, profile === 'release' ? '--release' : '--dev'];
  const { code, stdout, stderr } = await capture(await toolProgram('worker-build'), args, { cwd: place.dir, env: { ...env, PATH: path, TOLLGATE_CARGO: which('cargo') } });
  if (code !== 0) throw withOutput(new Failure(`packing ${place.name} failed (worker-build ended with code ${code})`), stdout + stderr);
  if (profile === 'release') dropNames(place);
  writeFileSync(join(place.buildDir, FINGERPRINT), JSON.stringify({ fingerprint: print, profile }) + '\n');
}

function withOutput(failure, output) {
  failure.output = cargoMessages(output);
  return failure;
}

/** Runs so many tasks at once, the rest as they end. */
class Slots {
  #free;
  #waiting = [];
  constructor(count) {
    this.#free = count;
  }
  async run(task) {
    if (this.#free === 0) await new Promise((go) => this.#waiting.push(go));
    else this.#free -= 1;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

// What the edge loads has no function names; the file beside it has them, for whoever reads a stack trace.
function dropNames(place) {
  const path = join(place.buildDir, 'index_bg.wasm');
  const wasm = readFileSync(path);
  writeFileSync(join(place.buildDir, 'index_bg.symbols.wasm'), wasm);
  writeFileSync(path, stripNames(wasm));
}

// -- fingerprints

// Tests, benches and documents do not reach the WASM; the folders that builds write to are not inputs.
const IGNORED = new Set(['build', 'assets', 'target', 'node_modules', 'tests', 'benches', 'fuzz', '.git']);

function sharedInputs(root) {
  return ['Cargo.toml', 'rust-toolchain.toml', '.cargo/config.toml', ...walk(root, 'shared')];
}

function walk(root, folder, found = []) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (IGNORED.has(entry.name)) continue;
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) walk(root, path, found);
    else if (/\.(rs|toml|json|sql|html|txt|csv)$/.test(entry.name)) found.push(path);
  }
  return found;
}

function hashFiles(root, paths) {
  const hash = createHash('sha256');
  for (const path of [...paths].sort()) {
    const full = join(root, path);
    if (existsSync(full)) hash.update(`${path}\0`).update(readFileSync(full)).update('\0');
  }
  return hash.digest('hex');
}

// Everything that a function is built from, but for Cargo.lock: cargo may complete that one while it builds.
function inputs(root, place, profile, shared) {
  const own = hashFiles(
    root,
    walk(root, `functions/${place.name}`).filter((path) => !path.endsWith('wrangler.toml')),
  );
  const tools = ['binaryen', 'esbuild'].map(toolVersion).join(' ');
  return [BUILD_VERSION, shared, own, profile, tools, process.env.RUSTFLAGS ?? ''].join('\n');
}

function fingerprint(from, root) {
  return createHash('sha256')
    .update(from)
    .update(hashFiles(root, ['Cargo.lock']))
    .digest('hex');
}

function toolVersion(name) {
  const manifest = join(ROOT, 'node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : name;
}

function readFingerprint(place) {
  try {
    return JSON.parse(readFileSync(join(place.buildDir, FINGERPRINT), 'utf8'));
  } catch {
    return undefined; // never built, or half built
  }
}

// The package `esbuild` holds a JavaScript starter; the program itself is in the package of this platform.
function esbuildBinary() {
  const native = join(ROOT, 'node_modules', '@esbuild', `${process.platform}-${process.arch}`, 'bin', 'esbuild');
  return existsSync(native) ? native : join(ROOT, 'node_modules', 'esbuild', 'bin', 'esbuild');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    const { values, positionals } = parseArgs({ options: { dev: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } }, allowPositionals: true });
    if (values.help) {
      say('node tools/build.mjs [name...] [--dev]\n\nBuilds the named functions (all without a name) to functions/<name>/build.');
      return;
    }
    await ensureSetup({ for: 'build' });
    const { built, ms } = await buildFunctions({ names: positionals, profile: values.dev ? 'dev' : 'release' });
    if (built.length === 0) say(dim(`Nothing to build (${duration(ms)}).`));
    for (const { name, raw, gzip, profile } of wasmSizes()) {
      if (positionals.length > 0 && !positionals.includes(name)) continue;
      say(`${name.padEnd(20)} ${kb(raw)} WASM, ${kb(gzip)} gzipped (${profile})`);
    }
    const missing = missingBuilds();
    if (positionals.length === 0 && missing.length > 0) throw new Failure(`not built: ${missing.join(', ')}`);
  });
}

function kb(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
}
