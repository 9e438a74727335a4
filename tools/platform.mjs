// Runs every function in one workerd, the runtime that Cloudflare itself uses, through Miniflare's API.
//
// Clients talk to workerd directly ("direct socket"): Miniflare's entry Worker, which would sit in front of every
// request, is left out. A workerd that dies is started again on the same port.
import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { freePort, INNER_PORTS } from './lib/free-port.mjs';
import { listFunctions } from './lib/functions.mjs';
import { migrate } from './lib/migrate.mjs';
import { Failure } from './lib/report.mjs';
import { databases, readConfig, withShards, workerOptions } from './lib/worker-options.mjs';

/**
 * @typedef {object} LogEntry
 * @property {'function' | 'platform'} source what a function printed, or what the runner has to say
 * @property {string} level  `log`, `info`, `warn`, `error`, `debug`
 * @property {string} message
 */

/**
 * @typedef {object} Platform
 * @property {string} url          `http://127.0.0.1:8787`
 * @property {number} port
 * @property {number} workerdPid   of the workerd that runs now
 * @property {string[]} migrated   the migrations applied at this start
 * @property {() => Promise<void>} reload  reads builds, configuration and migrations again and restarts workerd
 * @property {(listener: (event: {pid: number, ms: number}) => void) => void} onRestart called after workerd died and is back
 * @property {() => Promise<void>} stop
 */

/**
 * Starts the platform and resolves when it answers.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {string} [options.host]
 * @param {string} options.stateDir    databases, counters and objects live here
 * @param {Record<string, string>} options.settings  see settings.mjs (`loadSettings().values`)
 * @param {number} [options.shards] how many D1 databases tenants are spread over
 * @param {string} [options.environment] what functions see as ENVIRONMENT
 * @param {(entry: LogEntry) => void} [options.log]
 * @param {string} [options.root] another workspace of the same shape (tests)
 * @returns {Promise<Platform>}
 */
export async function startPlatform({ port, host = '127.0.0.1', stateDir, settings, shards = 1, environment = 'local', log = printEntry, root }) {
  await checkPortFree(host, port);
  mkdirSync(stateDir, { recursive: true });
  const say = (level, message) => log({ source: 'platform', level, message });
  // Miniflare keeps the port of its own entry over restarts, so it is one that outgoing connections are not given.
  const entryPort = await freePort(INNER_PORTS);
  const readOptions = () => {
    const configs = withShards(listFunctions(root ? { root } : undefined).map(readConfig), shards);
    if (configs.length === 0) throw new Failure('there are no functions to run', 'A function is a folder in functions/ with a wrangler.toml.');
    return { configs, options: miniflareOptions(configs, { port, entryPort, host, stateDir, settings, environment, log, say }) };
  };

  let { configs, options } = readOptions();
  // Before anything listens: whoever asks early is not answered from tables that are not there.
  const migrated = await migrateAlone(configs, stateDir);
  const restartListeners = [];
  let stopping = false;
  let reloading = false;

  // -- the runtime's process

  let workerd;
  let recovering = false;
  const onProcess = (child) => {
    workerd = child;
    const guard = guardAgainstOrphan(child);
    child.once('exit', (code, signal) => {
      guard.release();
      if (workerd === child && !stopping && !reloading) void recover(code, signal);
    });
  };

  let miniflare;
  watchChildren(onProcess, () => {
    miniflare = new Miniflare(options);
  });
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw explain(error, host, port);
  }

  // Miniflare restarts a workerd that died; what it does not do is try again when that fails, or say a word.
  // One loop at a time: a workerd that dies while it runs is its next round.
  async function recover(code, signal) {
    const how = signal ?? `code ${code}`;
    if (recovering) return say('error', `workerd ended before it was back (${how})`);
    say('error', `workerd ended unexpectedly (${how}); starting it again`);
    recovering = true;
    const diedAt = Date.now();
    // Miniflare queues its own restart in the same turn of the event loop; wait for that first.
    await sleep(20);
    for (let attempt = 1; !stopping; attempt++) {
      try {
        if (attempt > 1) await miniflare.setOptions(options);
        await miniflare.ready;
        if (isAlive(workerd)) break;
      } catch (error) {
        if (!stopping) say('error', `workerd did not start (attempt ${attempt}): ${firstLine(error)}`);
      }
      await sleep(Math.min(100 * attempt, 1000));
    }
    recovering = false;
    if (stopping) return;
    const ms = Date.now() - diedAt;
    say('info', `workerd is back after ${ms} ms (process ${workerd.pid})`);
    for (const listener of restartListeners) listener({ pid: workerd.pid, ms });
  }

  const stop = async () => {
    if (stopping) return;
    stopping = true;
    releaseSignals();
    await miniflare.dispose();
  };
  // A signal ends everything at once: answers given are already on disk, and nothing may outlive this process.
  const releaseSignals = onSignals(() => {
    stopping = true;
    workerd?.kill('SIGKILL');
    process.exit(0);
  });

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    migrated,
    get workerdPid() {
      return workerd.pid;
    },
    async reload() {
      const next = readOptions();
      // First the tables, then the code that needs them: a migration leaves what the running code uses as it is.
      await migrateAll(databases(configs), ({ binding, worker }) => miniflare.getD1Database(binding, worker));
      reloading = true;
      try {
        await miniflare.setOptions(next.options);
        await miniflare.ready;
        ({ configs, options } = next);
      } catch (error) {
        await miniflare.setOptions(options); // back to what ran before
        throw error;
      } finally {
        reloading = false;
      }
    },
    onRestart(listener) {
      restartListeners.push(listener);
    },
    stop,
  };
}

/** Prints a log entry: what functions print as it is (they print JSON lines), the runner's words marked. */
export function printEntry({ source, level, message }) {
  const stream = level === 'error' || level === 'warn' ? process.stderr : process.stdout;
  stream.write(source === 'platform' ? `[platform] ${message}\n` : `${message}\n`);
}

/** Migrates with a runtime of its own, which serves nobody, and ends it. */
async function migrateAlone(configs, stateDir) {
  const found = databases(configs);
  if (found.length === 0) return [];
  const miniflare = new Miniflare({
    name: 'migrations',
    modules: true,
    script: 'export default { fetch() { return new Response(null, { status: 404 }); } };',
    compatibilityDate: configs[0].toml.compatibility_date,
    d1Databases: Object.fromEntries(found.map(({ binding, name }) => [binding, name])),
    host: '127.0.0.1',
    port: 0,
    defaultPersistRoot: stateDir,
    cf: false,
    telemetry: { enabled: false },
    log: new QuietLog(() => {}),
  });
  try {
    return await migrateAll(found, ({ binding }) => miniflare.getD1Database(binding));
  } finally {
    await miniflare.dispose();
  }
}

/** Brings databases up to date, each reached with `open`. @returns {Promise<string[]>} what was applied */
async function migrateAll(found, open) {
  const applied = [];
  for (const database of found) {
    for (const file of await migrate(await open(database), database.migrationsDir)) applied.push(`${database.name}: ${file}`);
  }
  return applied;
}

function miniflareOptions(configs, { port, entryPort, host, stateDir, settings, environment, log, say }) {
  const [gateway, ...others] = workerOptions(configs, { settings, environment });
  return {
    workers: [{ ...gateway, unsafeDirectSockets: [{ host, port }] }, ...others],
    // Miniflare's own entry is for its own use (migrations): this machine only.
    host: '127.0.0.1',
    port: entryPort,
    defaultPersistRoot: stateDir,
    cf: false, // would be downloaded
    telemetry: { enabled: false },
    logRequests: false,
    log: new QuietLog(say),
    handleStructuredLogs: ({ level, message }) => {
      if (!isNoise(message)) log({ source: 'function', level, message });
    },
  };
}

// Miniflare's own words, errors only.
class QuietLog extends Log {
  #say;
  constructor(say) {
    super(LogLevel.ERROR);
    this.#say = say;
  }
  logWithLevel(level, message) {
    // A failed restart is reported by the loop that tries again.
    if (level <= LogLevel.ERROR && !message.includes('failed to restart after an unexpected crash')) this.#say('error', message);
  }
}

// What workerd says when a client goes away. That happens all day and is nobody's fault.
function isNoise(message) {
  return /^(?:kj\/|workerd\/)?[\w./+-]*:\d+: (?:info|error|warning): .*(?:Broken pipe|Connection reset by peer|disconnected: |Transport endpoint is not connected)/.test(message);
}

// -- the runtime's process

// Miniflare keeps the runtime's process to itself. Node tells of each child process that is made; the context tells
// which of them belongs to this platform (tests and benches run several in one process).
const ownerOf = new AsyncLocalStorage();
let subscribed = false;

function watchChildren(onProcess, start) {
  if (!subscribed) {
    subscribed = true;
    subscribe('child_process', ({ process: child }) => {
      const owner = ownerOf.getStore();
      if (!owner) return;
      child.once('spawn', () => {
        if (child.spawnargs[1] === 'serve') owner(child);
      });
    });
  }
  ownerOf.run(onProcess, start);
}

function isAlive(child) {
  return child.exitCode === null && child.signalCode === null;
}

// workerd does not notice that its parent was killed with -9. A shell that waits for the end of its input does: the
// input ends when this process ends, however it ends.
function guardAgainstOrphan(child) {
  const script = 'trap "" INT TERM HUP; read -r _; kill -9 "$0" 2>/dev/null';
  const guard = ownerOf.exit(() => spawn('/bin/sh', ['-c', script, String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true }));
  guard.on('error', () => {}); // no shell: no guard
  guard.stdin.on('error', () => {});
  guard.unref();
  guard.stdin.unref?.();
  return { release: () => guard.kill('SIGKILL') };
}

function onSignals(handler) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  // Before Miniflare's own handlers, which would end the process with an error code.
  for (const signal of signals) process.prependListener(signal, handler);
  return () => {
    for (const signal of signals) process.removeListener(signal, handler);
  };
}

async function checkPortFree(host, port) {
  const probe = createServer();
  try {
    probe.listen({ host, port, exclusive: true });
    await once(probe, 'listening');
  } catch (error) {
    throw explain(error, host, port);
  }
  probe.close();
  await once(probe, 'close');
}

function explain(error, host, port) {
  if (error.code === 'EADDRINUSE' || error.code === 'ERR_ADDRESS_IN_USE') {
    return new Failure(`port ${port} is in use on ${host}`, `Another program (perhaps another Tollgate) listens there. Stop it, or choose another port: PORT=${port + 1} npm start`);
  }
  if (error.code === 'EACCES') return new Failure(`port ${port} may not be used by this user`, 'Ports below 1024 are reserved. Choose a higher one: PORT=8787');
  if (error.code === 'EADDRNOTAVAIL') return new Failure(`${host} is not an address of this machine`);
  return error;
}

function firstLine(error) {
  return String(error?.cause?.message ?? error?.message ?? error).split('\n')[0];
}
