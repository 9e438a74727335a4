// `npm run contract`: the OpenAPI document against the running platform, with Schemathesis. Its options go after `--`.
import { continueOnNode24 } from './lib/node24.mjs';
import { runMain } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'build' });
  await continueOnNode24(import.meta.url);
  if (process.env.TOLLGATE_SKIP_BUILD !== '1') {
    const { buildFunctions } = await import('./build.mjs');
    await buildFunctions();
  }
  const { contract } = await import('../tests/contract/main.mjs');
  process.exitCode = await contract(process.argv.slice(2));
});
