// `npm run nightly`: what takes too long for every commit. The property tests of metering with 100,000 cases each, then
// its mutation tests (docs/METERING.md).
import { runMain } from './lib/report.mjs';
import { nightlySteps } from './lib/rust-steps.mjs';
import { runSteps } from './lib/steps.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'check' });
  const { ok } = await runSteps(nightlySteps());
  if (!ok) process.exit(1);
});
