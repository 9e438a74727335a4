// What `npm start` does once set-up is done.
import { buildAssets } from '../assets.mjs';
import { buildFunctions, missingBuilds } from '../build.mjs';
import { startPlatform } from '../platform.mjs';
import { configuredProviders, loadSettings, PROVIDERS } from '../settings.mjs';
import { bold, dim, duration, Failure, say } from './report.mjs';

/** Builds (unless TOLLGATE_SKIP_BUILD=1), starts the platform, and prints how to use it. */
export async function startAndAnnounce() {
  const { port, stateDir, skipBuild, shards, values } = loadSettings();
  if (skipBuild) {
    const missing = missingBuilds();
    if (missing.length > 0) throw new Failure(`TOLLGATE_SKIP_BUILD=1, but these functions are not built: ${missing.join(', ')}`, 'Build them once: npm run build');
    buildAssets(); // nothing is compiled for them, and builds that were copied here come without
  } else {
    await buildFunctions();
  }
  const started = Date.now();
  const platform = await startPlatform({ port, stateDir, shards, settings: values });
  for (const file of platform.migrated) say(`Migrated ${file}`);
  say(dim(`Started in ${duration(Date.now() - started)}, state in ${stateDir}`));
  announce(platform.url, values);
  tellParent(platform);
}

// The test harness starts this as a child and listens on its channel.
function tellParent(platform) {
  if (!process.send) return;
  process.send({ event: 'ready', url: platform.url, workerdPid: platform.workerdPid });
  platform.onRestart(({ pid, ms }) => process.send({ event: 'restarted', workerdPid: pid, ms }));
}

function announce(url, values) {
  const configured = configuredProviders(values);
  const missing = PROVIDERS.filter((name) => !configured.includes(name)).map((name) => `${name}_API_KEY`);
  const models = ['tollgate/extractive', ...configured.map((name) => `${name.toLowerCase()}/*`)];
  say('');
  say(bold(`Tollgate is ready on ${url}`));
  say(`  API page         ${url}/api/docs`);
  say(`  Model providers  ${models.join(', ')}${missing.length > 0 ? dim(`  (set ${missing.join(', ')} in .env for more)`) : ''}`);
  say('  Try it:');
  say(tryIt(url).replace(/^/gm, '    '));
  say('');
}

/**
 * Two commands that register somebody and ask a question, for any shell: no `$RANDOM` (sh has none, and zsh repeats it
 * in `$(...)`), no comment (zsh takes none from the terminal). The address is new with every second.
 *
 * @param {string} url
 */
export function tryIt(url) {
  return `TOKEN=$(curl -s ${url}/auth/register -H 'content-type: application/json' \\
  -d '{"email":"you-'$(date +%s)'@example.com","password":"seven quiet toll booths"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -s ${url}/v1/chat/completions -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
  -d '{"model":"tollgate/extractive","messages":[{"role":"user","content":"The toll is paid at the gate. Where is the toll paid?"}]}'`;
}
