// Bare workerd: how fast the runtime answers anything at all.
import { startWorkers } from './workerd.mjs';

// The body is read like everywhere else: workerd closes a connection whose request body nobody wanted.
const HELLO = `export default { fetch: async (request) => (await request.text(), new Response("hello")) };`;

export async function serve({ stateDir }) {
  const { url, stop } = await startWorkers({ stateDir, workers: [{ name: 'hello', script: HELLO }] });
  return { url, path: '/v1/chat/completions', model: 'none', tokens: async () => ['nobody'], stop };
}
