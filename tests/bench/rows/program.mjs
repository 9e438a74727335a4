// A peer that is a program of its own: started on a free port, watched until it answers, stopped by its own process id.
import { spawn } from 'node:child_process';

/** Starts `command` and waits until `ready()` no longer throws. What it printed is shown when it fails. */
export async function startProgram({ command, args, env, cwd, ready, timeoutMs }) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (text) => (output = (output + text).slice(-4000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let ended = null;
  const end = new Promise((resolve) => {
    child.once('error', (error) => resolve((ended = error.message)));
    child.once('exit', (code, signal) => resolve((ended = `it ended with ${signal ?? code}`)));
  });
  const stop = async () => {
    if (ended !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await end;
    clearTimeout(timer);
  };

  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      await ready();
      return { stop };
    } catch (error) {
      if (ended === null && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        continue;
      }
      await stop();
      throw new Error(`${ended ?? `not ready after ${timeoutMs / 1000} s (${error.message})`}\n${output}`.trim());
    }
  }
}
