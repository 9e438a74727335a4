// A platform for black-box tests: the real one, started as `npm start` does, on a free port with its own state.
//
//   import { withPlatform } from '../harness/platform.mjs';
//   const platform = await withPlatform();            // at the top of a file or in `before`
//   await fetch(`${platform.url}/health`);
//
// It ends with the test file by itself, also when a test throws or the test process is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import readline from 'node:readline';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../tools/lib/free-port.mjs';
import { SETTING_NAMES } from '../../tools/settings.mjs';
import './connections.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const STOP_TIMEOUT_MS = 15_000;
const START_TIMEOUT_MS = 60_000;

/**
 * @typedef {object} TestPlatform
 * @property {string} url
 * @property {number} port
 * @property {number} pid              the process of `npm start`
 * @property {string} stateDir
 * @property {() => number} workerdPid the runtime that runs now
 * @property {string[]} log            every line printed so far, over restarts
 * @property {() => Promise<void>} stop       ends it and removes its state
 * @property {(options?: {env?: Record<string, string>, whileStopped?: () => void | Promise<void>}) => Promise<void>} restart  same port, same state; `env` is added
 * @property {() => Promise<{ms: number}>} killWorkerd  kills the runtime with -9 and resolves when it is back
 * @property {(pattern: RegExp, timeoutMs?: number) => Promise<string>} waitForLog  the first line that matches, past ones too
 * @property {() => void} assertNoPanic  throws when a function panicked or the runtime ended by itself
 */

/**
 * Starts a platform.
 *
 * @param {object} [options]
 * @param {Record<string, string>} [options.env] settings, e.g. `{ OPENAI_API_KEY, OPENAI_BASE_URL }`. Only these: what the
 *   developer has in `.env` or in the environment does not reach a test.
 * @param {string} [options.stateDir] an existing state; it is then not removed
 * @param {number} [options.port] a free one when left out
 * @param {string} [options.checkout] another checkout of the repository, built, whose platform is started instead
 * @param {import('node:test').TestContext} [options.test] ends with this test instead of the whole file
 * @returns {Promise<TestPlatform>}
 */
export async function withPlatform({ env = {}, stateDir, port, checkout = ROOT, test } = {}) {
  const state = stateDir ?? mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  const log = [];
  let settings = env;
  let running;

  const stop = async () => {
    await end(running);
    if (!stateDir) rmSync(state, { recursive: true, force: true, maxRetries: 3 });
  };
  // Without a test runner around (a script that measures) the caller stops it.
  if (test) test.after(stop);
  else if (process.env.NODE_TEST_CONTEXT) after(stop);

  const start = async (atPort) => {
    for (let attempt = 1; ; attempt++) {
      const chosen = atPort ?? (await freePort());
      try {
        return await launch({ checkout, port: chosen, stateDir: state, env: settings, log });
      } catch (error) {
        // Between looking for a free port and using it, another test file may have taken it.
        if (atPort !== undefined || attempt >= 3 || !/is in use/.test(error.message)) {
          if (!stateDir) rmSync(state, { recursive: true, force: true });
          throw error;
        }
      }
    }
  };
  running = await start(port);

  const waitForLog = async (pattern, timeoutMs = 10_000) => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const line = log.find((candidate) => pattern.test(candidate));
      if (line !== undefined) return line;
      if (Date.now() > deadline) throw new Error(`no log line matches ${pattern} after ${timeoutMs} ms; the last ones:\n${log.slice(-20).join('\n')}`);
      await sleep(20);
    }
  };

  return {
    get url() {
      return running.url;
    },
    get port() {
      return running.port;
    },
    get pid() {
      return running.child.pid;
    },
    stateDir: state,
    log,
    workerdPid: () => running.workerdPid,
    stop,
    async restart({ env: more = {}, whileStopped } = {}) {
      settings = { ...settings, ...more };
      const samePort = running.port;
      await end(running);
      await whileStopped?.();
      running = await start(samePort);
    },
    async killWorkerd() {
      const back = once(running.events, 'restarted', { signal: AbortSignal.timeout(30_000) });
      process.kill(running.workerdPid, 'SIGKILL');
      const [event] = await back;
      return { ms: event.ms };
    },
    waitForLog,
    assertNoPanic() {
      const bad = log.filter((line) => /panicked at|RuntimeError: unreachable|code had hung|workerd ended (?:unexpectedly|before it was back) \((?!SIGKILL)/.test(line));
      if (bad.length > 0) throw new Error(`the log tells of a panic:\n${bad.join('\n')}\nand of the platform:\n${log.filter((line) => line.startsWith('[platform]')).slice(-20).join('\n')}`);
    },
  };
}

async function launch({ checkout, port, stateDir, env, log }) {
  const blank = Object.fromEntries(SETTING_NAMES.map((name) => [name, '']));
  const child = spawn(process.execPath, [join(checkout, 'tools', 'start.mjs')], {
    cwd: checkout,
    // The channel tells the child when this process is gone, however it went.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...blank, ...env, TOLLGATE_SETUP_DONE: '1', TOLLGATE_SKIP_BUILD: '1', PORT: String(port), STATE_DIR: stateDir, NO_COLOR: '1', NODE_TEST_CONTEXT: undefined },
  });
  const first = log.length;
  for (const stream of [child.stdout, child.stderr]) {
    readline.createInterface({ input: stream }).on('line', (line) => log.push(line));
  }
  const running = { child, port, url: `http://127.0.0.1:${port}`, workerdPid: undefined, events: new EventTarget() };
  const killWithUs = () => child.kill('SIGTERM');
  process.once('exit', killWithUs);
  child.once('exit', () => process.removeListener('exit', killWithUs));
  const ready = new Promise((done, fail) => {
    child.on('message', (message) => {
      if (message.workerdPid) running.workerdPid = message.workerdPid;
      if (message.event === 'ready') done();
      if (message.event === 'restarted') running.events.dispatchEvent(Object.assign(new Event('restarted'), { ms: message.ms }));
    });
    child.once('error', fail);
    child.once('close', (code) => fail(new Error(`the platform did not start (code ${code}):\n${log.slice(first).join('\n')}`)));
    setTimeout(() => fail(new Error(`the platform was not ready after ${START_TIMEOUT_MS} ms:\n${log.slice(first).join('\n')}`)), START_TIMEOUT_MS).unref();
  });
  try {
    await ready;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return running;
}

async function end({ child, workerdPid } = {}) {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(timer);
  // Its databases are free once the runtime is gone, too.
  for (const deadline = Date.now() + STOP_TIMEOUT_MS; isAlive(workerdPid) && Date.now() < deadline; ) await sleep(10);
}

function isAlive(pid) {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
