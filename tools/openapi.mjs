// `npm run openapi`: writes docs/openapi.json, the document collected from the handlers.
// With --check it only says whether the committed copy is current.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/paths.mjs';
import { Failure, runMain, say } from './lib/report.mjs';
import { capture } from './lib/run.mjs';

await runMain(async () => {
  const { code, stdout, stderr } = await capture('cargo', ['run', '--quiet', '-p', 'tollgate-openapi'], { cwd: ROOT });
  if (code !== 0) throw new Failure(`collecting the document failed:\n${stderr}`);
  const path = join(ROOT, 'docs', 'openapi.json');
  const committed = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (process.argv.includes('--check')) {
    if (committed !== stdout) throw new Failure('docs/openapi.json is old: npm run openapi');
    say('docs/openapi.json is current');
    return;
  }
  writeFileSync(path, stdout);
  say(committed === stdout ? 'docs/openapi.json was current' : 'docs/openapi.json written');
});
