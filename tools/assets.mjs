// The gateway's static files: functions/gateway/assets/ (git-ignored, made from committed sources).
//
//   openapi.json          the committed docs/openapi.json
//   api/docs/index.html   a readable page of it, with RapiDoc from node_modules: works without the internet
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { apiPage } from './lib/api-page.mjs';
import { inRepo, ROOT } from './lib/paths.mjs';
import { Failure, runMain, say } from './lib/report.mjs';

const ASSETS = join(ROOT, 'functions', 'gateway', 'assets');

/**
 * Writes the gateway's assets, those that changed.
 * @returns {string} the folder
 */
export function buildAssets() {
  const document = join(ROOT, 'docs', 'openapi.json');
  if (!existsSync(document)) throw new Failure('docs/openapi.json is missing', '`npm run openapi` writes it from the handlers.');
  const text = readFileSync(document, 'utf8');
  write('openapi.json', text);
  write('api/docs/index.html', apiPage(JSON.parse(text)));
  write('api/docs/rapidoc-min.js', readFileSync(join(ROOT, 'node_modules', 'rapidoc', 'dist', 'rapidoc-min.js')));
  return ASSETS;
}

// Another platform of this checkout may be serving these files: it never sees half of one.
function write(name, content) {
  const path = join(ASSETS, name);
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(content))) return;
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content);
  renameSync(draft, path);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(() => say(`Wrote ${inRepo(buildAssets())}`));
}
