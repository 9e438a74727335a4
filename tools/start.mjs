// `npm start`: sets up what is missing, builds, migrates, starts everything and says where it is.
import { continueOnNode24 } from './lib/node24.mjs';
import { runMain } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'start' });
  await continueOnNode24(import.meta.url);
  // Only now: what follows needs node_modules and Node 24.
  const { startAndAnnounce } = await import('./lib/start-platform.mjs');
  await startAndAnnounce();
});
