// Runs one row's server in a process of its own, so that its CPU time can be told from the generator's and from the other rows'.
// It obeys its parent over the IPC channel and stops what it started when that channel closes, however the parent ended.
import { rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

const { row, context } = JSON.parse(process.argv[2]);

let server;
let stopping;

function stop() {
  stopping ??= (async () => {
    try {
      await server?.stop();
    } finally {
      await rm(context.stateDir, { recursive: true, force: true });
      await rmdir(dirname(context.stateDir)).catch(() => {}); // succeeds for the last one only
      process.exit(0);
    }
  })();
  return stopping;
}

process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

const reply = (message) => process.connected && process.send(message);

process.on('message', async ({ id, call }) => {
  if (call === 'stop') return stop();
  try {
    reply({ id, value: await server[call]() });
  } catch (error) {
    reply({ id, error: error.message });
  }
});

try {
  const { serve } = await import(`./rows/${row}.mjs`);
  const progress = (text) => reply({ progress: text });
  server = await serve({ ...context, progress });
  if (!process.connected) await stop();
  const { url, path, model, headers, counted } = server;
  reply({ ready: { url, path, model, headers, counts: Boolean(counted) } });
} catch (error) {
  reply({ failed: error.message });
  process.disconnect?.();
  process.exitCode = 1;
}
