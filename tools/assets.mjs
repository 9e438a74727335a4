// The gateway's static files: functions/gateway/assets/ (git-ignored, made from committed sources).
//
//   openapi.json          the committed docs/openapi.json
//   api/docs/index.html   a readable page of it, with RapiDoc from node_modules: works without the internet
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRepo, ROOT } from './lib/paths.mjs';
import { runMain, say } from './lib/report.mjs';

const ASSETS = join(ROOT, 'functions', 'gateway', 'assets');

/**
 * Writes the gateway's assets.
 * @returns {string} the folder
 */
export function buildAssets() {
  const docs = join(ASSETS, 'api', 'docs');
  mkdirSync(docs, { recursive: true });
  const document = join(ROOT, 'docs', 'openapi.json');
  if (existsSync(document)) copyFileSync(document, join(ASSETS, 'openapi.json'));
  copyFileSync(join(ROOT, 'node_modules', 'rapidoc', 'dist', 'rapidoc-min.js'), join(docs, 'rapidoc-min.js'));
  writeFileSync(join(docs, 'index.html'), PAGE);
  return ASSETS;
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Tollgate API</title>
    <script type="module" src="/api/docs/rapidoc-min.js"></script>
  </head>
  <body>
    <rapi-doc
      spec-url="/openapi.json"
      render-style="read"
      show-header="false"
      allow-server-selection="false"
      allow-spec-file-download="true"
      schema-style="table"
      load-fonts="false"
      persist-auth="true"
      primary-color="#1d4ed8"
    >
      <noscript>This page needs JavaScript. The document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    </rapi-doc>
  </body>
</html>
`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(() => say(`Wrote ${inRepo(buildAssets())}`));
}
