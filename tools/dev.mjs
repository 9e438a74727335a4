// `npm run dev`: runs the platform and follows the sources. What changed is built again (dev profile: quick to
// build, larger and slower to run) and the running platform reloads. A build that fails leaves the old one running.
import { continueOnNode24 } from './lib/node24.mjs';
import { runMain } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'dev' });
  await continueOnNode24(import.meta.url);
  const { watchAndReload } = await import('./lib/watch-and-reload.mjs');
  await watchAndReload();
});
