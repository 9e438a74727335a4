// `npm run takeover -- ../older-checkout`: what an older platform has kept is taken over by this one, and nobody loses anything.
// Both checkouts have to be built. Options: npm run takeover -- --help
import { continueOnNode24 } from './lib/node24.mjs';
import { runMain } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'start' });
  await continueOnNode24(import.meta.url);
  const { takeover } = await import('../tests/takeover/main.mjs');
  process.exitCode = await takeover(process.argv.slice(2));
});
