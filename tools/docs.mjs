// `npm run docs`: writes docs/REFERENCE.md, the lists that come from the code.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { continueOnNode24 } from './lib/node24.mjs';
import { ROOT } from './lib/paths.mjs';
import { runMain, say } from './lib/report.mjs';
import { ensureSetup } from './setup.mjs';

await runMain(async () => {
  await ensureSetup({ for: 'start' });
  await continueOnNode24(import.meta.url);
  const { reference } = await import('./lib/reference.mjs');
  const path = join(ROOT, 'docs', 'REFERENCE.md');
  const page = reference();
  const current = readFileSync(path, { encoding: 'utf8', flag: 'a+' }) === page;
  if (!current) writeFileSync(path, page);
  say(current ? 'docs/REFERENCE.md was current' : 'docs/REFERENCE.md written');
});
