// LiteLLM's proxy, with the settings its production page asks for. It checks one master key and stores nothing (no database).
// One Uvicorn worker: "one worker per pod, scale out" is what that page recommends, and it is one thread against workerd's one.
// `workers` (the row litellm-cores) starts as many as there are cores instead.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDir } from '../../../tools/lib/paths.mjs';
import { runStep } from '../../../tools/lib/run.mjs';
import { freePort, startProgram } from './program.mjs';

// The newest 1.106 whose dependencies the mirrors we work with can all serve (1.106.10 wants a certifi of the week).
const VERSION = '1.106.2';
const MASTER_KEY = 'sk-bench-master-key';

const venv = () => join(cacheDir(), 'bench', `litellm-${VERSION}`);

/** A Python that LiteLLM runs on and that can make an environment; Debian's bare python3 cannot. */
function findPython() {
  for (const name of ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3']) {
    const probe = spawnSync(name, ['-c', 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))']);
    if (probe.status === 0) return name;
  }
  return null;
}

/** Installs LiteLLM once for this user. Throws, saying why, where that cannot be. */
export async function prepare() {
  const done = join(venv(), 'installed');
  if (existsSync(done)) return;
  const python = findPython();
  if (!python) throw new Error('needs Python 3.10 to 3.13 with venv (Debian: apt install python3-venv)');
  await rm(venv(), { recursive: true, force: true });
  await mkdir(dirname(venv()), { recursive: true });
  await runStep(`Making a Python environment in ${venv()}`, python, ['-m', 'venv', venv()]);
  const install = ['install', '--disable-pip-version-check', '--progress-bar', 'off', `litellm[proxy]==${VERSION}`];
  await runStep(`Installing LiteLLM ${VERSION} (about 750 MB, once)`, join(venv(), 'bin/pip'), install);
  await writeFile(done, '');
}

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
    command: join(venv(), 'bin/litellm'),
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
