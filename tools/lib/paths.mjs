// Where things are. Nothing here touches node_modules, so that set-up can use it from an empty clone.
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The per-user cache: tools live here, keyed by version, so that a second clone is quick. */
export function cacheDir() {
  if (process.env.TOLLGATE_CACHE) return resolve(process.env.TOLLGATE_CACHE);
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'tollgate');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'tollgate');
  return join(homedir(), '.cache', 'tollgate');
}

/** The path relative to the repository, for messages. */
export function inRepo(path) {
  return path.startsWith(ROOT + '/') ? path.slice(ROOT.length + 1) : path;
}
