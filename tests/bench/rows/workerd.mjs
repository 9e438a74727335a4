// What the rows on workerd have in common: Miniflare's API (not wrangler's proxy, which costs more than all of them), quiet and offline.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { freePort } from '../../../tools/lib/free-port.mjs';

const COMPATIBILITY_DATE = '2026-07-01';

/**
 * Starts `workers` (the first one is public) and returns its address. Durable Objects are kept on disk under `stateDir`.
 * Clients talk to the first Worker itself ("direct socket"), past Miniflare's own entry, as they do with Tollgate (tools/platform.mjs).
 */
export async function startWorkers({ workers: [first, ...others], stateDir }) {
  const port = await freePort();
  const workers = [{ ...first, unsafeDirectSockets: [{ host: '127.0.0.1', port }] }, ...others];
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    telemetry: { enabled: false },
    cf: false, // else it asks cloudflare.com for request.cf
    log: new Log(LogLevel.ERROR),
    logRequests: false, // else every request costs a second one, to the logger
    durableObjectsPersist: join(stateDir, 'do'),
    workers: workers.map((worker) => ({ modules: true, compatibilityDate: COMPATIBILITY_DATE, ...worker })),
  });
  await miniflare.ready;
  return { url: `http://127.0.0.1:${port}`, stop: () => miniflare.dispose() };
}

/** A plain JavaScript Worker next to this file. */
export const script = (path) => readFile(new URL(path, import.meta.url), 'utf8');
