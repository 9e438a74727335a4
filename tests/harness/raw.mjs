// HTTP/1.1 by hand, for requests that no client would send.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Writes bytes to the platform and reads its answer.
 *
 * @param {{port: number}} platform
 * @param {object} request
 * @param {string} [request.method]
 * @param {string} [request.path]
 * @param {[string, string | Buffer][]} [request.headers] in this order, twice where given twice
 * @param {string | Buffer} [request.body] with its length unless a Content-Length or Transfer-Encoding is given
 * @param {Iterable<string | Buffer>} [request.pieces] written one after the other as they are, until the answer is there
 * @returns {Promise<{status: number, headers: Headers, text: string, data: any} | {closed: true}>} `closed` when the connection ended without an answer
 */
export function rawRequest(platform, { method = 'GET', path = '/', headers = [], body, pieces } = {}) {
  return new Promise((done, fail) => {
    const socket = connect(platform.port, '127.0.0.1');
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
    const received = [];
    const finish = () => {
      const answer = parse(Buffer.concat(received), method);
      // workerd keeps a connection open for seconds after "Connection: close": the answer says itself where it ends.
      if (answer?.whole || socket.closed) done(answer ?? { closed: true });
      return answer?.whole;
    };
    socket.on('data', (piece) => {
      received.push(piece);
      if (finish()) socket.destroy();
    });
    socket.on('error', (error) => (received.length > 0 || ['ECONNRESET', 'EPIPE'].includes(error.code) ? undefined : fail(error)));
    socket.on('close', finish);
    const given = new Set(headers.map(([name]) => name.toLowerCase()));
    const lines = [Buffer.from(`${method} ${path} HTTP/1.1\r\n`, 'latin1')];
    const put = (name, value) => lines.push(Buffer.from(`${name}: `, 'latin1'), Buffer.isBuffer(value) ? value : Buffer.from(value, 'latin1'), Buffer.from('\r\n'));
    if (!given.has('host')) put('Host', `127.0.0.1:${platform.port}`);
    put('Connection', 'close');
    for (const [name, value] of headers) put(name, value);
    const bytes = body === undefined ? undefined : Buffer.from(body);
    if (bytes && !given.has('content-length') && !given.has('transfer-encoding')) put('Content-Length', String(bytes.length));
    socket.write(Buffer.concat([...lines, Buffer.from('\r\n'), ...(bytes ? [bytes] : [])]));
    if (pieces) void writeOn(socket, pieces, () => received.length > 0);
  });
}

// Slowly enough to hear an answer that comes before the end, as a client does that looks up while it talks.
async function writeOn(socket, pieces, answered) {
  for (const piece of pieces) {
    if (answered() || socket.destroyed) return;
    socket.write(piece);
    await sleep(2);
  }
}

function parse(bytes, method) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const status = Number(statusLine.split(' ')[1]);
  let body = bytes.subarray(end + 4);
  let whole;
  if (method === 'HEAD' || status === 204 || status === 304) whole = true;
  else if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) {
    whole = body.subarray(-5).toString('latin1') === '0\r\n\r\n';
    body = unchunk(body);
  } else whole = headers.has('content-length') && body.length >= Number(headers.get('content-length'));
  const text = body.toString();
  const isJson = /\bjson\b/.test(headers.get('content-type') ?? '');
  return { status, headers, text, whole, data: isJson && text && whole ? JSON.parse(text) : undefined };
}

function unchunk(bytes) {
  const pieces = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    const size = end < 0 ? 0 : Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16);
    if (!size) return Buffer.concat(pieces);
    pieces.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
