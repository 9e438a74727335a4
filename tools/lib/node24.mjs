// The platform's tools run on Node 24. A clone is started with whatever Node 20+ is there, so the entry points
// set up first and then hand over to the Node of the npm package `node`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './paths.mjs';
import { Failure } from './report.mjs';

/** What the tools need: the version that wrangler and Miniflare are tried with. */
export const NODE_MAJOR = 24;

/** True when this very process is new enough. */
export const isNode24 = () => Number(process.versions.node.split('.')[0]) >= NODE_MAJOR;

/**
 * The Node 24 to start children with.
 *
 * @param {{root?: string, version?: string}} [options] for tests
 */
export function node24({ root = ROOT, version = process.versions.node } = {}) {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(own)) return own;
  if (Number(version.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  // An older Node must not be answered: a script that hands over to it would hand over to itself, for ever.
  throw new Failure(`Node ${NODE_MAJOR} is not set up here, and this is Node ${version}`, 'node tools/setup.mjs installs it into node_modules; npm start and npm test do so by themselves.');
}

/**
 * Goes on in Node 24: returns at once when this process already is one; otherwise starts the same script there,
 * passes signals on, and ends with its exit code (this call then never returns).
 *
 * @param {string} scriptUrl `import.meta.url` of the entry point
 */
export async function continueOnNode24(scriptUrl) {
  if (isNode24()) {
    // Started by an older Node: end with it, even when it is killed without a chance to say so.
    if (process.connected) {
      process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
      process.channel?.unref();
    }
    return;
  }
  if (process.env.TOLLGATE_ON_NODE24) throw new Failure(`${node24()} is Node ${process.versions.node}`, 'Delete node_modules and run node tools/setup.mjs.');
  const child = spawn(node24(), [...process.execArgv, fileURLToPath(scriptUrl), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, TOLLGATE_SETUP_DONE: '1', TOLLGATE_ON_NODE24: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const code = await new Promise((done) => {
    child.on('error', () => done(1));
    child.on('exit', (code, signal) => done(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
  process.exit(code);
}
