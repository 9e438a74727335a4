// `npm run new-function <name>`: lays out a function that builds, is routed by the gateway and has a test.
//
//   functions/<name>/            Cargo.toml, wrangler.toml, src/lib.rs (routes), src/status.rs (one route)
//   wrangler.toml                the gateway's service binding
//   functions/gateway/src/routes.rs   one line in the table of functions
//   tests/openapi/               the function's part of the OpenAPI document
//   tests/e2e/<name>.test.mjs    asks the running platform
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { listFunctions } from './lib/functions.mjs';
import { inRepo, ROOT } from './lib/paths.mjs';
import { bold, Failure, runMain, say } from './lib/report.mjs';
import { capture } from './lib/run.mjs';
import { ensureToolchain } from './lib/setup-rust.mjs';
import { SETTING_NAMES } from './settings.mjs';

/** First segments that the gateway answers itself, and names that a crate of the workspace has. */
const RESERVED = ['api', 'health', 'openapi', 'v1', 'domain', 'providers', 'platform'];

/**
 * Writes the files of a new function.
 *
 * @param {string} name lower-case words joined by hyphens; also the first segment of its addresses
 * @param {{root?: string}} [options]
 * @returns {string[]} the files that were written or changed
 */
export function newFunction(name, { root = ROOT } = {}) {
  check(name, root);
  const binding = name.replaceAll('-', '_').toUpperCase();
  const written = [];
  // Everything is worked out before the first file is written: a table that is not where it should be leaves no half function.
  const changes = new Map([
    [join(root, 'wrangler.toml'), withService(readFileSync(join(root, 'wrangler.toml'), 'utf8'), binding, name)],
    [join(root, 'functions/gateway/src/routes.rs'), withRoute(readFileSync(join(root, 'functions/gateway/src/routes.rs'), 'utf8'), binding, name)],
    [join(root, `functions/${name}/Cargo.toml`), manifest(name)],
    [join(root, `functions/${name}/wrangler.toml`), configuration(name, root)],
    [join(root, `functions/${name}/src/lib.rs`), library(name)],
    [join(root, `functions/${name}/src/status.rs`), route(name)],
    [join(root, `tests/e2e/${name}.test.mjs`), endToEndTest(name)],
    [join(root, 'tests/openapi/Cargo.toml'), withDependency(readFileSync(join(root, 'tests/openapi/Cargo.toml'), 'utf8'), name)],
    [join(root, 'tests/openapi/src/lib.rs'), withDocument(readFileSync(join(root, 'tests/openapi/src/lib.rs'), 'utf8'), name)],
  ]);
  for (const [path, text] of changes) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    written.push(path);
  }
  return written;
}

function check(name, root) {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name ?? '')) {
    throw new Failure(name ? `"${name}" is no name for a function` : 'the name is missing', 'Lower-case words joined by hyphens, e.g. `npm run new-function stripe-webhook`.');
  }
  if (RESERVED.includes(name)) throw new Failure(`"${name}" is taken by the platform itself`);
  const test = join(root, `tests/e2e/${name}.test.mjs`);
  if (existsSync(test)) throw new Failure(`tests/e2e/${name}.test.mjs exists already`, 'Choose another name, or rename that test first.');
  if (existsSync(join(root, 'functions', name))) throw new Failure(`functions/${name} exists already`, `Functions: ${listFunctions({ root }).map((place) => place.name).join(', ')}.`);
}

function withService(text, binding, name) {
  const taken = SETTING_NAMES.includes(binding) || text.includes(`binding = "${binding}"`);
  if (taken) throw new Failure(`"${name}" would be bound to the gateway as ${binding}, which is another binding already`, 'Choose another name.');
  return `${text.trimEnd()}\n\n[[services]]\nbinding = "${binding}"\nservice = "tollgate-${name}"\n`;
}

// The table is sorted by its first column. It is read in whatever line breaks it has, and written one line a function.
function withRoute(text, binding, name) {
  const path = 'functions/gateway/src/routes.rs';
  const table = /(FUNCTIONS: &\[\(&str, &str\)\] = &\[)([^\]]*)(\];)/.exec(text);
  if (!table) throw moved('the table FUNCTIONS', path);
  const entry = /\(\s*"([^"]*)",\s*"([^"]*)",?\s*\)/g;
  const rows = [...table[2].matchAll(entry)].map(([, segment, target]) => [segment, target]);
  const unread = table[2].replace(entry, '').replaceAll(/[\s,]/g, '');
  if (rows.length === 0 || unread !== '') throw moved(`the table FUNCTIONS (with "${unread}" in it)`, path);
  const lines = [...rows, [name, binding]].map(([segment, target]) => `    ("${segment}", "${target}"),`).sort();
  return text.replace(table[0], () => `${table[1]}\n${lines.join('\n')}\n${table[3]}`);
}

// The OpenAPI document is collected by a host program that depends on every function.
function withDependency(text, name) {
  const dependency = `tollgate-${name} = { path = "../../functions/${name}" }`;
  const lines = text.split('\n');
  const own = lines.filter((line) => /^tollgate-[a-z0-9-]+ = \{ path = "..\/..\/functions\//.test(line));
  if (own.length === 0) throw moved('the list of functions', 'tests/openapi/Cargo.toml');
  const at = lines.indexOf(own[0]);
  const sorted = [...own, dependency].sort();
  return [...lines.slice(0, at), ...sorted, ...lines.slice(at).filter((line) => !own.includes(line))].join('\n');
}

function withDocument(text, name) {
  const list = /(pub fn functions\(\)[^{]*\{\s*vec!\[)([^\]]*)(\])/.exec(text);
  if (!list) throw moved('the list of functions', 'tests/openapi/src/lib.rs');
  const crate = `tollgate_${name.replaceAll('-', '_')}`;
  const rows = list[2].trim().replace(/,$/, '');
  const entry = `        ("${name}", ${crate}::ROUTES, ${crate}::Docs::openapi()),`;
  return text.replace(list[0], () => `${list[1]}\n        ${rows},\n${entry}\n    ${list[3]}`);
}

function moved(what, path) {
  return new Failure(`${what} is not where it was in ${path}`, 'Teach tools/new-function.mjs where it is now.');
}

function manifest(name) {
  return `[package]
name = "tollgate-${name}"
description = "The ${name} function."
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true

[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
tollgate-api.workspace = true
tollgate-platform.workspace = true
axum.workspace = true
http.workspace = true
js-sys.workspace = true
serde.workspace = true
serde_json.workspace = true
utoipa.workspace = true
wasm-bindgen.workspace = true
wasm-bindgen-futures.workspace = true
web-sys = { workspace = true, features = ["Request", "Response"] }
worker.workspace = true
`;
}

function configuration(name, root) {
  const date = /^compatibility_date\s*=\s*"([^"]+)"/m.exec(readFileSync(join(root, 'wrangler.toml'), 'utf8'))?.[1];
  return `# ${name}: what it is for.
name = "tollgate-${name}"
main = "build/index.js"
compatibility_date = "${date}"
# Reached through the gateway's service binding only.
workers_dev = false

[build]
# Through npm, so that it works from whatever folder wrangler is run in.
command = "npm run --silent build -- ${name}"

[vars]
ENVIRONMENT = "production"

# Secrets: JWKS.
`;
}

function library(name) {
  return `//! The ${name} function.

mod status;

tollgate_platform::routes! {
    get "/${name}/status" => status::status;
}

tollgate_platform::fetch_entry!();
`;
}

function route(name) {
  return `//! \`GET /${name}/status\`

use http::StatusCode;
use serde::Serialize;
use tollgate_platform::{Problem, Scope, http::Reply, identity::Caller};
use utoipa::ToSchema;

/// What \`GET /${name}/status\` answers.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct StatusOut {
    /// Whom the answer is for.
    greeting: String,
}

/// A first route: who is asking?
#[utoipa::path(get, path = "/${name}/status", tag = "${name}", security(("bearer" = [])), responses(
    (status = 200, body = StatusOut), (status = 401, body = Problem),
))]
#[worker::send]
pub async fn status(_scope: Scope, caller: Caller) -> Result<Reply, Problem> {
    Ok(Reply::json(StatusCode::OK, &greet(&caller.user.to_string())))
}

/// The rule behind the route: pure, so that it is tested in no time.
fn greet(user: &str) -> StatusOut {
    StatusOut { greeting: format!("Hello, {user}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_greeted_by_id() {
        let greeting = "Hello, usr_1.".to_owned();
        assert_eq!(greet("usr_1"), StatusOut { greeting });
    }
}
`;
}

function endToEndTest(name) {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, get, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();

test('GET /${name}/status greets the user', async () => {
  const { access_token, user } = await register(platform);
  const { status, data } = await get(platform, '/${name}/status', { token: access_token });
  assert.equal(status, 200);
  assert.equal(data.greeting, \`Hello, \${user.id}.\`);
});

test('GET /${name}/status needs a token', async () => {
  assertProblem(await get(platform, '/${name}/status'), 401);
});
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    const name = process.argv[2];
    await ensureToolchain({ components: ['rustfmt'] });
    for (const path of newFunction(name)) say(`wrote ${inRepo(path)}`);
    // A long name breaks lines where the templates do not: rustfmt has the last word.
    const packages = ['gateway', 'openapi', name].flatMap((crate) => ['-p', `tollgate-${crate}`]);
    const { code, stderr } = await capture('cargo', ['fmt', ...packages]);
    if (code !== 0) throw new Failure(`the function is written, but cargo fmt ended with code ${code}:\n${stderr.trim()}`);
    say(`\n${bold('Next')}
  npm run openapi             writes its routes into docs/openapi.json
  npm run check               formatting, lints, host tests
  npm run dev                 then: curl -i http://127.0.0.1:8787/${name}/status (401: it wants an access token)
  npm run build && npm test -- --only end-to-end tests/e2e/${name}.test.mjs`);
  });
}
