// A list of breached passwords, served as api.pwnedpasswords.com does: GET /range/{five digits of the SHA-1}. It checks that nothing
// else is ever sent.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

const sha1 = (password) => createHash('sha1').update(password).digest('hex').toUpperCase();

/**
 * @returns {Promise<{url: string, lists: (password: string, times?: number) => void, asked: string[], assertOnlyPrefixes: (passwords: string[]) => void, behave: (how: 'well' | 'silent' | 'failing' | 'broken off' | 'nonsense') => void, stop: () => Promise<void>}>}
 */
export async function startBreaches() {
  const listed = new Map();
  const requests = [];
  let how = 'well';
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body: Buffer.concat(chunks).toString() });
    if (how === 'silent') return;
    if (how === 'failing') return void response.writeHead(503).end('busy');
    if (how === 'broken off') return void response.writeHead(200, { 'content-length': 1000 }).write('00', () => response.destroy());
    if (how === 'nonsense') return void response.writeHead(200).end(randomBytes(1000));
    const prefix = request.url.split('/').at(-1);
    const found = [...listed].filter(([hash]) => hash.startsWith(prefix)).map(([hash, times]) => `${hash.slice(5)}:${times}`);
    const padding = Array.from({ length: 800 }, () => `${randomBytes(18).toString('hex').toUpperCase().slice(1)}:0`);
    response.writeHead(200, { 'content-type': 'text/plain' }).end([...padding.slice(0, 400), ...found, ...padding.slice(400)].join('\r\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((done) => server.close(done));
  };
  after(stop);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lists: (password, times = 42) => listed.set(sha1(password), times),
    behave: (next) => (how = next),
    stop,
    get asked() {
      return requests.map(({ line }) => line);
    },
    assertOnlyPrefixes(passwords) {
      for (const { line, headers, body } of requests) {
        assert.match(line, /^GET \/range\/[0-9A-F]{5}$/);
        assert.equal(headers['add-padding'], 'true');
        assert.equal(body, '');
        for (const name of ['authorization', 'cookie', 'cf-connecting-ip', 'x-dev-address', 'referer']) assert.equal(headers[name], undefined, name);
        const sent = line + JSON.stringify(headers);
        for (const password of passwords) {
          assert.ok(!sent.includes(password));
          for (const hash of [sha1(password), sha1(password).toLowerCase()]) assert.ok(!sent.includes(hash.slice(0, 6)) && !sent.includes(hash.slice(5)), 'no more than five digits');
        }
      }
      const expected = new Set(passwords.map((password) => `GET /range/${sha1(password).slice(0, 5)}`));
      for (const { line } of requests) assert.ok(expected.has(line), `${line} was asked for`);
    },
  };
}
