// The loop of `npm run dev`: a change, a build of what it touches, a reload.
import { watch } from 'node:fs';
import { join } from 'node:path';
import { buildFunctions } from '../build.mjs';
import { startPlatform } from '../platform.mjs';
import { loadSettings } from '../settings.mjs';
import { ROOT } from './paths.mjs';
import { bold, dim, duration, printFailure, say } from './report.mjs';

// Editors write in bursts (a temporary file, a rename, a formatter).
const QUIET_MS = 80;

/** Starts the platform with dev builds and follows the sources until it is interrupted. */
export async function watchAndReload() {
  const { port, stateDir, values } = loadSettings();
  await buildFunctions({ profile: 'dev' });
  const platform = await startPlatform({ port, stateDir, settings: values });
  say(`\n${bold(`Tollgate is ready on ${platform.url}`)} ${dim('(dev builds; watching functions/, shared/, d1-migrations/)')}`);

  const changed = new Set();
  let timer;
  let busy = false;
  const note = (path) => {
    changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(turn, QUIET_MS);
  };
  const turn = async () => {
    if (busy) return; // the running turn looks again at its end
    busy = true;
    while (changed.size > 0) {
      const paths = [...changed];
      changed.clear();
      await react(platform, paths);
    }
    busy = false;
  };

  for (const folder of ['functions', 'shared', 'd1-migrations']) {
    watch(join(ROOT, folder), { recursive: true }, (_, file) => {
      if (file && matters(`${folder}/${file}`)) note(`${folder}/${file}`);
    });
  }
  watch(ROOT, (_, file) => {
    if (file && ['Cargo.toml', 'wrangler.toml'].includes(file)) note(file);
  });
}

async function react(platform, paths) {
  say(`\n${paths.length === 1 ? paths[0] : `${paths[0]} and ${paths.length - 1} more`} changed`);
  const started = Date.now();
  try {
    // The fingerprints tell which functions a change touches: one, or all when it is in shared/.
    const { built } = await buildFunctions({ profile: 'dev' });
    const configured = paths.some((path) => path.endsWith('wrangler.toml') || path.startsWith('d1-migrations/'));
    if (built.length === 0 && !configured) {
      say(dim('Nothing to build.'));
      return;
    }
    const builtAt = Date.now();
    await platform.reload();
    say(bold(`Reloaded ${built.join(', ') || 'the configuration'}`) + dim(` (build ${duration(builtAt - started)}, reload ${duration(Date.now() - builtAt)})`));
  } catch (error) {
    printFailure(error);
    say(dim('The version before it keeps running.'));
  }
}

/** Sources matter; what builds write beside them does not. */
function matters(path) {
  if (/\/(build|assets|target|node_modules|\.wrangler)(\/|$)/.test(path)) return false;
  return /\.(rs|toml|sql|json|html|txt|csv)$/.test(path);
}
