// `npm run openapi`: writes docs/openapi.json, the document collected from the handlers.
// With --check it only says whether the committed copy is current.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/paths.mjs';
import { Failure, runMain, say, startProgress } from './lib/report.mjs';
import { capture, cargoMessages } from './lib/run.mjs';
import { ensureLinker, ensureToolchain } from './lib/setup-rust.mjs';

await runMain(async () => {
  if (process.env.TOLLGATE_SETUP_DONE !== '1') {
    await ensureToolchain();
    await ensureLinker();
  }
  const document = await collect();
  const path = join(ROOT, 'docs', 'openapi.json');
  const committed = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (process.argv.includes('--check')) {
    if (committed !== document) throw new Failure('docs/openapi.json is old: npm run openapi');
    say('docs/openapi.json is current');
    return;
  }
  writeFileSync(path, document);
  say(committed === document ? 'docs/openapi.json was current' : 'docs/openapi.json written');
});

// Compiles every function for this machine and asks them: minutes after a fresh clone, seconds later.
async function collect() {
  const progress = startProgress('Collecting the OpenAPI document');
  const { code, stdout, stderr } = await capture('cargo', ['run', '-p', 'tollgate-openapi'], { onLine: (line) => progress.update(line) });
  if (code !== 0) {
    progress.failed();
    throw new Failure(`collecting the document failed (cargo ended with code ${code}):\n${cargoMessages(stderr).trim()}`);
  }
  progress.done();
  return stdout;
}
