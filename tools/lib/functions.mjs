// Which functions exist: a function is a folder in functions/ with a wrangler.toml; the gateway's is the root one.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { Failure } from './report.mjs';

/**
 * @typedef {object} FunctionPlace
 * @property {string} name     the folder's name, e.g. `auth`
 * @property {string} package  the crate's name, e.g. `tollgate-auth`
 * @property {string} dir      functions/<name>
 * @property {string} buildDir functions/<name>/build, what worker-build writes
 * @property {string} config   its wrangler.toml
 */

/**
 * Every function, the gateway first (it is the public one), the rest by name.
 * @param {{root?: string}} [options]
 * @returns {FunctionPlace[]}
 */
export function listFunctions({ root = ROOT } = {}) {
  const folder = join(root, 'functions');
  const places = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const name = entry.name;
    const config = name === 'gateway' ? join(root, 'wrangler.toml') : join(folder, name, 'wrangler.toml');
    if (!existsSync(config) || !existsSync(join(folder, name, 'Cargo.toml'))) continue;
    places.push({
      name,
      package: `tollgate-${name}`,
      dir: join(folder, name),
      buildDir: join(folder, name, 'build'),
      config,
    });
  }
  return places.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

const rank = (place) => (place.name === 'gateway' ? 0 : 1);

/** The functions of these names; without names, all. Unknown names are a failure that lists the known ones. */
export function selectFunctions(names, options) {
  const all = listFunctions(options);
  if (!names || names.length === 0) return all;
  return names.map((name) => {
    const place = all.find((candidate) => candidate.name === name);
    if (!place) throw new Failure(`there is no function "${name}"`, `Known functions: ${all.map((p) => p.name).join(', ')}.`);
    return place;
  });
}
