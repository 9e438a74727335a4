// LiteLLM's proxy, with the settings its production page asks for. It checks one master key and stores nothing (no database).
// One Uvicorn worker: "one worker per pod, scale out" is what that page recommends, and it is one thread against workerd's one.
// `workers` (the row litellm-cores) starts as many as there are cores instead.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installPython } from '../../../tools/lib/python.mjs';
import { freePort } from '../../../tools/lib/free-port.mjs';
import { startProgram } from './program.mjs';

// The newest 1.106 whose dependencies the mirrors we work with can all serve (1.106.10 wants a certifi of the week).
const VERSION = '1.106.2';
const MASTER_KEY = 'sk-bench-master-key';

const program = () => installPython({ folder: 'bench', name: 'litellm', version: VERSION, extras: '[proxy]', size: 'about 750 MB, ' });

/** Installs LiteLLM once for this user. Throws, saying why, where that cannot be. */
export const prepare = () => program();

export async function serve({ upstream, stateDir, workers = 1 }) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(stateDir, 'config.json'); // YAML is a superset of JSON
  await writeFile(
    config,
    JSON.stringify({
      model_list: [
        {
          model_name: 'gpt-4o-mini',
          litellm_params: { model: 'openai/gpt-4o-mini', api_base: `${upstream}/v1`, api_key: 'x' },
        },
      ],
      general_settings: { master_key: MASTER_KEY, proxy_batch_write_at: 60 },
      litellm_settings: { request_timeout: 600, set_verbose: false, json_logs: true, telemetry: false },
    }),
  );
  const { stop } = await startProgram({
    command: join(await program(), 'litellm'),
    args: ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--num_workers', String(workers)],
    cwd: stateDir,
    env: {
      LITELLM_MODE: 'PRODUCTION',
      LITELLM_LOG: 'ERROR',
      LITELLM_LOCAL_MODEL_COST_MAP: 'True', // else it fetches its price list from GitHub
      LITELLM_TELEMETRY: 'False',
    },
    ready: async () => {
      const answer = await fetch(`${url}/health/liveliness`);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
    },
    timeoutMs: 120_000,
  });
  return { url, path: '/v1/chat/completions', model: 'gpt-4o-mini', tokens: async () => [MASTER_KEY], stop };
}
