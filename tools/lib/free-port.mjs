// A port of this machine that nobody listens on.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that a system gives to outgoing connections by itself (Linux from 32768, others from 49152): whoever listens
// here, ends and comes back is not kept out by a connection that was given the port meanwhile.
const ADDRESSES = { lowest: 11_000, highest: 21_000 };
/** Ports that only a program itself knows: nobody who comes back to an address finds one of these there. */
export const INNER_PORTS = { lowest: 21_000, highest: 32_000 };
const ATTEMPTS = 100;

/**
 * @param {{lowest: number, highest: number}} [range] of which the highest is left out
 * @returns {Promise<number>} a port that nobody listens on now
 */
export async function freePort({ lowest, highest } = ADDRESSES) {
  for (let attempt = 1; ; attempt++) {
    const server = createServer();
    try {
      server.listen({ host: '127.0.0.1', port: randomInt(lowest, highest), exclusive: true });
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
