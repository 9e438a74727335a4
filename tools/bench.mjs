// `npm run bench`: makes sure everything is set up, then runs tests/bench on Node 24. Options: npm run bench -- --help
import { continueOnNode24 } from './lib/node24.mjs';
import { readOptions } from '../tests/bench/options.mjs';
import { runMain } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  const args = process.argv.slice(2);
  // Help and a mistyped option need nothing set up.
  if (!readOptions(args)) return;
  await ensureSetup({ for: 'build' });
  await continueOnNode24(import.meta.url);
  const { bench } = await import('../tests/bench/main.mjs');
  process.exitCode = await bench(args);
});
