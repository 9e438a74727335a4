// A port of this machine that nobody listens on.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that a system gives to outgoing connections by itself (Linux from 32768, others from 49152): whoever listens
// here, ends and comes back is not kept out by a connection that was given the port meanwhile.
const LOWEST = 11_000;
const HIGHEST = 32_000;
const ATTEMPTS = 100;

/** @returns {Promise<number>} a port that nobody listens on now */
export async function freePort() {
  for (let attempt = 1; ; attempt++) {
    const server = createServer();
    try {
      server.listen({ host: '127.0.0.1', port: randomInt(LOWEST, HIGHEST), exclusive: true });
      await once(server, 'listening');
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      continue;
    }
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
  }
}
