// `npm test`: everything that must hold, from formatting to the running platform.
//
//   npm test                          all steps
//   npm test -- --only "host tests"   the steps whose name contains this (several: comma-separated)
//   npm test -- --only end-to-end tests/e2e/limits.test.mjs
import { parseArgs } from 'node:util';
import { continueOnNode24 } from './lib/node24.mjs';
import { bold, runMain, say } from './lib/report.mjs';
import { clippyStep, formatStep, hostTestStep, wasmClippyStep } from './lib/rust-steps.mjs';
import { runSteps } from './lib/steps.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
  await ensureSetup({ for: 'test' });
  await continueOnNode24(import.meta.url);
  const { buildStep, dryRunStep, endToEndStep, openApiStep, sizeStep, toolTestStep } = await import('./lib/platform-steps.mjs');
  const all = [formatStep(), clippyStep(), wasmClippyStep(), hostTestStep(), toolTestStep(), openApiStep(), buildStep(), sizeStep(), dryRunStep(), endToEndStep(positionals)];
  const wanted = values.only?.toLowerCase().split(',');
  const steps = wanted ? all.filter(({ name }) => wanted.some((part) => name.toLowerCase().includes(part.trim()))) : all;

  const { ok, totals } = await runSteps(steps);
  const ran = totals.passed + totals.failed;
  if (ok && ran === 0) say('\nNo test ran: that is a failure, too.');
  say(bold('\n== Totals'));
  say(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  process.exit(ok && totals.failed === 0 && ran > 0 ? 0 : 1);
});
