// What a function weighs and how long it takes to start.
//
// Start-up: a new workerd with this function alone, from its spawn to the first answered request, less the same for an empty
// JavaScript Worker measured in turn with it. So process start, listening and the first connection are taken out, and what is left is
// reading, compiling and instantiating the module and the first request's own set-up. workerd is started directly, not through
// Miniflare, whose own start varies by more than what is sought. Bindings are absent: the answer's status does not matter.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { parse } from 'smol-toml';
import workerdPackage from 'workerd';
import { listFunctions } from '../../tools/lib/functions.mjs';
import { median } from './load.mjs';

// A CommonJS package whose `default` is the program's path.
const workerd = workerdPackage.default;
const START_TIMEOUT_MS = 20_000;
const compress = promisify(gzip);

/** Every built function: its Worker's entry, modules, and the size of its WASM, gzipped as Cloudflare counts it. */
export async function functionSizes() {
  const found = [];
  for (const place of listFunctions()) {
    const config = parse(await readFile(place.config, 'utf8'));
    const main = resolve(dirname(place.config), config.main);
    if (!existsSync(main)) continue;
    const modules = await modulesOf(main);
    const wasm = await Promise.all(modules.filter(({ type }) => type === 'wasm').map(({ path }) => readFile(path)));
    const gzipped = await Promise.all(wasm.map((bytes) => compress(bytes, { level: 9 })));
    const total = (list) => list.reduce((sum, { length }) => sum + length, 0);
    found.push({
      name: place.name,
      wasmBytes: total(wasm),
      gzipBytes: total(gzipped),
      modules,
      compatibilityDate: String(config.compatibility_date).slice(0, 10),
      compatibilityFlags: config.compatibility_flags ?? [],
    });
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

const TYPES = { '.js': 'esModule', '.mjs': 'esModule', '.wasm': 'wasm' };

/** The entry first, then whatever lies beside and below it, named as the entry imports it; the copy with symbols is for people. */
async function modulesOf(main) {
  const base = dirname(main);
  const entries = await readdir(base, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() && TYPES[extname(entry.name)] && !entry.name.includes('.symbols.')).map((entry) => join(entry.parentPath, entry.name));
  const rest = paths.filter((path) => path !== main).sort();
  return [main, ...rest].map((path) => ({ path, name: relative(base, path), type: TYPES[extname(path)] }));
}

/** `embed` paths are relative to the configuration's file. */
function configuration(file, { modules, compatibilityDate, compatibilityFlags }) {
  const list = modules.map(
    ({ name, type, path }) => `(name = ${JSON.stringify(name)}, ${type} = embed ${JSON.stringify(relative(dirname(file), path))})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${list.join(', ')}],
  compatibilityDate = ${JSON.stringify(compatibilityDate)},
  compatibilityFlags = [${compatibilityFlags.map((flag) => JSON.stringify(flag)).join(', ')}],
);
`;
}

/** One cold start: ms from spawn to the first answer, and that answer's status. */
async function coldStart(file) {
  const started = performance.now();
  const child = spawn(workerd, ['serve', file, '--control-fd=3'], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  const ended = new Promise((done) => child.once('exit', done).once('error', done));
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  let errors = '';
  child.stderr.on('data', (text) => (errors += text));
  try {
    const port = await new Promise((done, fail) => {
      let control = '';
      child.stdio[3].on('data', (text) => {
        control += text;
        const event = control.split('\n').find((line) => line.includes('"listen"') && line.endsWith('}'));
        if (event) done(JSON.parse(event).port);
      });
      ended.then(() => fail(new Error(errors.trim().split('\n')[0] || 'workerd ended')));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    await answer.arrayBuffer();
    return { ms: performance.now() - started, status: answer.status };
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    await ended;
  }
}

export async function startupTimes(functions, { stateRoot, repeats }) {
  const folder = join(stateRoot, 'startup');
  await mkdir(folder, { recursive: true });
  const emptyModule = join(folder, 'empty.js');
  await writeFile(emptyModule, "export default { fetch: () => new Response('ok') };\n");
  const empty = {
    name: '(empty)',
    modules: [{ path: emptyModule, name: 'empty.js', type: 'esModule' }],
    compatibilityDate: functions[0]?.compatibilityDate ?? '2026-07-01',
    compatibilityFlags: [],
  };
  const samples = new Map();
  for (const worker of [empty, ...functions]) {
    const file = join(folder, `${worker.name}.capnp`);
    await writeFile(file, configuration(file, worker));
    samples.set(worker.name, { file, ms: [], status: 0, error: null });
  }
  // In turn, so that noise meets all alike; the first pass only brings the files into the page cache.
  for (let pass = 0; pass <= repeats; pass += 1) {
    for (const sample of samples.values()) {
      if (sample.error) continue;
      try {
        const { ms, status } = await coldStart(sample.file);
        sample.status = status;
        if (pass) sample.ms.push(ms);
      } catch (error) {
        sample.error = error.message;
      }
    }
  }
  const emptyMs = median(samples.get(empty.name).ms);
  samples.delete(empty.name);
  return {
    emptyMs,
    repeats,
    functions: Object.fromEntries(
      [...samples].map(([name, { ms, status, error }]) => [name, error ? { error } : { ms: median(ms) - emptyMs, status }]),
    ),
  };
}
