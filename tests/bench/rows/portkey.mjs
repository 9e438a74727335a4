// Portkey's gateway on Node. It authenticates nobody and stores nothing: a proxy that picks the provider from a header.
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../tools/lib/free-port.mjs';
import { startProgram } from './program.mjs';

const SERVER = fileURLToPath(new URL('../node_modules/@portkey-ai/gateway/build/start-server.js', import.meta.url));

export async function serve({ upstream, stateDir }) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { stop } = await startProgram({
    command: process.execPath,
    args: [SERVER, `--port=${port}`, '--headless'],
    cwd: stateDir,
    env: { NODE_ENV: 'production' },
    ready: () => fetch(`${url}/`),
    timeoutMs: 30_000,
  });
  return {
    url,
    path: '/v1/chat/completions',
    model: 'gpt-4o-mini',
    headers: { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream}/v1` },
    tokens: async () => ['sk-bench'],
    stop,
  };
}
