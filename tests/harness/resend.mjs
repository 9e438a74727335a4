// Whoever carries mails, in Resend's place: it remembers what it took, and misbehaves when it is told to.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

/**
 * @typedef {object} Delivery
 * @property {string} key         the idempotency key
 * @property {any} mail           the body
 *
 * @returns {Promise<{env: Record<string, string>, asked: Delivery[], accepted: Map<string, any>, next: (...answers: (number | 'lost')[]) => void}>}
 *   `asked`: every request; `accepted`: what was taken, by idempotency key, each once, as Resend does; `next`: how the next
 *   requests are answered: with a status, or `lost`: taken, and the line broken before the answer
 */
export async function startResend() {
  const asked = [];
  const accepted = new Map();
  const answers = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const mail = JSON.parse(Buffer.concat(pieces).toString());
    const key = request.headers['idempotency-key'];
    asked.push({ key, mail, path: request.url, authorization: request.headers.authorization });
    const answer = answers.shift() ?? 200;
    if (answer === 200 || answer === 'lost') accepted.set(key, accepted.get(key) ?? mail);
    if (answer === 'lost') {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer === 200 ? { id: key } : { message: 'no' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  if (process.env.NODE_TEST_CONTEXT) after(stop);
  return {
    env: { RESEND_API_KEY: 're_test_0123456789', RESEND_BASE_URL: `http://127.0.0.1:${server.address().port}`, MAIL_FROM: 'Tollgate <hello@mail.example.com>' },
    asked,
    accepted,
    next: (...more) => answers.push(...more),
  };
}
