// From the wrangler.toml files to Miniflare's options: one source describes the bindings, here and in production.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { bindingsFor } from '../settings.mjs';
import { inRepo } from './paths.mjs';
import { Failure } from './report.mjs';

/** The keys of a wrangler.toml that mean nothing locally. */
const DEPLOYMENT_ONLY = new Set(['build', 'workers_dev', 'preview_urls', 'routes', 'route', 'observability', 'limits', 'placement', 'account_id', 'triggers', 'migrations', '$schema', 'logpush', 'dev']);
const UNDERSTOOD = new Set(['name', 'main', 'compatibility_date', 'compatibility_flags', 'vars', 'services', 'd1_databases', 'kv_namespaces', 'durable_objects', 'queues', 'r2_buckets', 'assets']);

/**
 * @typedef {object} FunctionConfig
 * @property {import('./functions.mjs').FunctionPlace} place
 * @property {Record<string, any>} toml
 */

/**
 * Reads a function's wrangler.toml.
 * @param {import('./functions.mjs').FunctionPlace} place
 * @returns {FunctionConfig}
 */
export function readConfig(place) {
  let toml;
  try {
    toml = parse(readFileSync(place.config, 'utf8'));
  } catch (error) {
    throw new Failure(`${inRepo(place.config)} cannot be read: ${error.message.split('\n')[0]}`);
  }
  for (const key of Object.keys(toml)) {
    // A binding that the local runtime leaves out would fail far from here, in a function.
    if (!UNDERSTOOD.has(key) && !DEPLOYMENT_ONLY.has(key)) {
      throw new Failure(`${inRepo(place.config)} has "${key}", which the local runtime does not know`, 'Teach it in tools/lib/worker-options.mjs.');
    }
  }
  return { place, toml };
}

/**
 * The same configurations with more D1 shards: whoever binds DB_0 binds DB_1 and on, with the same migrations. In production a
 * shard is a binding written into each wrangler.toml, see docs/OPERATIONS.md.
 *
 * @param {FunctionConfig[]} configs
 * @param {number} shards
 * @returns {FunctionConfig[]}
 */
export function withShards(configs, shards) {
  return configs.map((config) => {
    const [first] = (config.toml.d1_databases ?? []).filter(({ binding }) => binding === 'DB_0');
    if (!first) return config;
    const bound = new Set(config.toml.d1_databases.map(({ binding }) => binding));
    const more = Array.from({ length: shards - 1 }, (_, n) => ({ ...first, binding: `DB_${n + 1}`, database_name: `tollgate-${n + 1}` })).filter(({ binding }) => !bound.has(binding));
    return { ...config, toml: { ...config.toml, d1_databases: [...config.toml.d1_databases, ...more] } };
  });
}

/**
 * Miniflare's options for every function. The first is the public one.
 *
 * @param {FunctionConfig[]} configs
 * @param {object} options
 * @param {Record<string, string>} options.settings
 * @param {string} options.environment overrides ENVIRONMENT of the files
 * @returns {object[]}
 */
export function workerOptions(configs, { settings, environment }) {
  const sqliteClasses = new Set(
    configs.flatMap(({ toml }) => (toml.migrations ?? []).flatMap((step) => step.new_sqlite_classes ?? []).map((name) => `${toml.name}/${name}`)),
  );
  return configs.flatMap(({ place, toml }) => {
    const options = {
      name: toml.name,
      modules: modules(place, toml),
      modulesRoot: place.buildDir,
      compatibilityDate: toml.compatibility_date,
      compatibilityFlags: toml.compatibility_flags ?? [],
      bindings: { ...toml.vars, ...bindingsFor(place.name, { ...settings, ENVIRONMENT: environment }) },
      serviceBindings: Object.fromEntries((toml.services ?? []).map(({ binding, service, entrypoint }) => [binding, entrypoint ? { name: service, entrypoint } : service])),
      // Named after the database, not after its id: the id changes when somebody deploys, local data stays.
      d1Databases: Object.fromEntries((toml.d1_databases ?? []).map(({ binding, database_name }) => [binding, database_name])),
      kvNamespaces: Object.fromEntries((toml.kv_namespaces ?? []).map(({ binding }) => [binding, binding])),
      r2Buckets: Object.fromEntries((toml.r2_buckets ?? []).map(({ binding, bucket_name }) => [binding, bucket_name])),
      durableObjects: Object.fromEntries(
        (toml.durable_objects?.bindings ?? []).map(({ name, class_name, script_name = toml.name }) => [
          name,
          { className: class_name, scriptName: script_name === toml.name ? undefined : script_name, useSQLite: sqliteClasses.has(`${script_name}/${class_name}`) },
        ]),
      ),
      queueProducers: Object.fromEntries((toml.queues?.producers ?? []).map(({ binding, queue, delivery_delay }) => [binding, { queueName: queue, deliveryDelay: delivery_delay }])),
      queueConsumers: Object.fromEntries(
        (toml.queues?.consumers ?? []).map(({ queue, max_batch_size, max_batch_timeout, max_retries, dead_letter_queue, retry_delay }) => [
          queue,
          { maxBatchSize: max_batch_size, maxBatchTimeout: max_batch_timeout, maxRetries: max_retries, deadLetterQueue: dead_letter_queue, retryDelay: retry_delay },
        ]),
      ),
    };
    if (!toml.assets) return [options];
    // A Worker with assets of its own is reached through Miniflare's asset router, three hops on every request.
    // With `run_worker_first` the Worker decides, so its files are a Worker beside it, asked only for files.
    const files = `${toml.name}-assets`;
    options.serviceBindings[toml.assets.binding] = files;
    const directory = resolve(dirname(place.config), toml.assets.directory);
    mkdirSync(directory, { recursive: true });
    return [
      options,
      {
        name: files,
        modules: [{ type: 'ESModule', path: 'index.js', contents: 'export default { fetch() { return new Response(null, { status: 404 }); } };' }],
        compatibilityDate: toml.compatibility_date,
        assets: {
          workerName: files,
          directory,
          routerConfig: { has_user_worker: false },
          assetConfig: { html_handling: toml.assets.html_handling ?? 'auto-trailing-slash', not_found_handling: toml.assets.not_found_handling ?? 'none' },
        },
      },
    ];
  });
}

/** The databases that the functions bind: by name, with one function to reach each through. */
export function databases(configs) {
  const found = new Map();
  for (const { place, toml } of configs) {
    for (const { binding, database_name, migrations_dir } of toml.d1_databases ?? []) {
      if (!migrations_dir || found.has(database_name)) continue;
      found.set(database_name, { name: database_name, binding, worker: toml.name, migrationsDir: resolve(dirname(place.config), migrations_dir) });
    }
  }
  return [...found.values()];
}

function modules(place, toml) {
  const main = resolve(dirname(place.config), toml.main);
  if (!existsSync(main)) throw new Failure(`${place.name} is not built (${inRepo(main)} is missing)`, `Build it: node tools/build.mjs ${place.name}`);
  const wasm = join(place.buildDir, 'index_bg.wasm');
  return [
    { type: 'ESModule', path: main, contents: readFileSync(main, 'utf8') },
    { type: 'CompiledWasm', path: wasm, contents: readFileSync(wasm) },
  ];
}
