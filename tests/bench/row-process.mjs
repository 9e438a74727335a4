// The parent's side of host.mjs: starts a row's process, talks to it, stops it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HOST = fileURLToPath(new URL('./host.mjs', import.meta.url));
const START_TIMEOUT_MS = 300_000; // a thousand registrations, or a Python that imports half the world
const STOP_TIMEOUT_MS = 8_000;

/**
 * Every row's traffic is on this machine; a proxy from the environment would see it otherwise. Temporary files go where they are
 * removed with the rest.
 */
function environment({ stateDir }) {
  const env = { ...process.env, TMPDIR: stateDir, NO_PROXY: '*', no_proxy: '*', CI: '1', WRANGLER_SEND_METRICS: 'false' };
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']) {
    delete env[name];
    delete env[name.toLowerCase()];
  }
  return env;
}

export class RowProcess {
  #child;
  #calls = new Map();
  #lastCall = 0;
  #exited;
  #startTimer;
  errors = '';

  /** `onProgress` hears what a slow start has to say. */
  constructor(row, context, onProgress = () => {}) {
    this.id = row.id;
    this.#child = fork(HOST, [JSON.stringify({ row: row.module, context })], {
      detached: true, // Ctrl-C reaches only the parent, which then stops us in order
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: environment(context),
    });
    const keep = (text) => (this.errors = (this.errors + text).slice(-4000));
    this.#child.stdout.on('data', keep);
    this.#child.stderr.on('data', keep);
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', resolve);
      this.#child.once('exit', resolve);
    });
    this.ready = new Promise((resolve, reject) => {
      this.#startTimer = setTimeout(() => reject(new Error('did not start in time')), START_TIMEOUT_MS);
      this.#child.on('message', ({ ready, failed, progress, id, value, error }) => {
        if (progress) return onProgress(progress);
        if (ready) return resolve(ready);
        if (failed) return reject(new Error(failed));
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error) call?.reject(new Error(error));
        else call?.resolve(value);
      });
      this.#exited.then((code) => {
        const gone = new Error(`its process ended (${code})\n${this.errors}`.trim());
        reject(gone);
        for (const call of this.#calls.values()) call.reject(gone);
        this.#calls.clear();
      });
    });
    this.ready.catch(() => {}).finally(() => clearTimeout(this.#startTimer));
  }

  get pid() {
    return this.#child.pid;
  }

  /** Calls a method of the row's server. */
  call(name) {
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error('its process is gone'));
      this.#calls.set(id, { resolve, reject });
      this.#child.send({ id, call: name });
    });
  }

  /** Asks it to stop; its whole process group (it is the group's leader) is killed if it does not. */
  async stop() {
    clearTimeout(this.#startTimer);
    if (this.#child.connected) this.#child.send({ call: 'stop' });
    const timer = setTimeout(() => this.#killGroup(), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
    this.#killGroup(); // what a server that died by itself may have left behind
  }

  #killGroup() {
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nobody is left in it.
    }
  }
}
