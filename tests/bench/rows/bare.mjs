// The bare path: two plain JavaScript Workers, gateway -> chat -> Durable Object write -> upstream -> Durable Object write after the answer.
// The floor the runtime sets under any metered call; no authentication, no validation.
import { randomBytes } from 'node:crypto';
import { script, startWorkers } from './workerd.mjs';

export async function serve({ upstream, stateDir, users }) {
  const { url, stop } = await startWorkers({
    stateDir,
    workers: [
      { name: 'gateway', script: await script('./bare/gateway.js'), serviceBindings: { CHAT: 'chat' } },
      {
        name: 'chat',
        script: await script('./bare/chat.js'),
        bindings: { UPSTREAM: `${upstream}/v1/chat/completions` },
        durableObjects: { METER: { className: 'Meter', useSQLite: true } },
      },
    ],
  });
  // As long as a signed token, so that the bytes on the way are the same.
  const tokens = Array.from({ length: users }, (_, user) => `${user}.${randomBytes(180).toString('base64url')}`);
  const counted = async () => {
    const answer = await fetch(`${url}/usage`, { headers: { authorization: `Bearer ${tokens[0]}` } });
    return (await answer.json()).requests;
  };
  return { url, path: '/v1/chat/completions', model: 'openai/gpt-4o-mini', tokens: async () => tokens, counted, stop };
}
