// `npm run check`: the fast inner loop. Formatting, lints and host tests; nothing is built to WASM.
import { runMain } from './lib/report.mjs';
import { checkSteps } from './lib/rust-steps.mjs';
import { runSteps } from './lib/steps.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'check' });
  const { ok } = await runSteps(checkSteps());
  if (!ok) process.exit(1);
});
