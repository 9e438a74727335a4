// A lock between processes: a folder that only one can make, with the owner's process id in it.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './report.mjs';

/**
 * Runs `work` while holding the lock. A lock whose owner is gone (killed) is taken over.
 *
 * @template T
 * @param {string} folder    the lock's path
 * @param {string} reason    who holds it, for the message while waiting
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(folder, reason, work) {
  let told = false;
  while (!tryLock(folder)) {
    if (ownerIsGone(folder)) {
      rmSync(folder, { recursive: true, force: true });
      continue;
    }
    if (!told) say(`Waiting: ${reason} (${folder})`);
    told = true;
    await sleep(500);
  }
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function tryLock(folder) {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return true;
}

function ownerIsGone(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    process.kill(pid, 0);
    return false;
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    if (error.code === 'ENOENT') {
      // Made a moment ago and not yet signed, or left unsigned by a crash in that moment.
      try {
        return Date.now() - statSync(folder).mtimeMs > 10_000;
      } catch {
        return false; // released meanwhile
      }
    }
    return false; // EPERM: somebody else's living process
  }
}
