// The load generator: a closed loop over N keep-alive connections, each sending its next request when the last answer is complete.
//
// Own code instead of autocannon because on two cores the generator competes with what it measures, and because the
// requests must walk over a thousand users across all connections (README.md has the comparison with autocannon and wrk).
// It sends requests that were serialised beforehand and reads of the answer only its status and its length.
import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');

/** One request as it goes over the wire. */
export function wireRequest({ url, method = 'POST', headers = {}, body = '' }) {
  const { host, pathname, search } = new URL(url);
  const payload = Buffer.from(body);
  const lines = [`${method} ${pathname}${search} HTTP/1.1`, `host: ${host}`, `content-length: ${payload.length}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), payload]);
}

/** Where a chunked body that starts at `at` ends, or -1 while it is incomplete. */
function chunkedEnd(bytes, at) {
  for (;;) {
    const line = bytes.indexOf(LINE_END, at);
    if (line < 0) return -1;
    const size = Number.parseInt(bytes.latin1Slice(at, line), 16);
    if (Number.isNaN(size)) throw new Error('unreadable chunk size');
    at = line + 2 + size + 2;
    if (at > bytes.length) return -1;
    if (size === 0) return at;
  }
}

/** The status and the end of the answer at the start of `bytes`, or null while it is incomplete. */
export function readAnswer(bytes) {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const head = bytes.latin1Slice(0, headEnd + 2).toLowerCase();
  const status = Number(head.slice(9, 12));
  const bodyStart = headEnd + 4;
  const close = head.includes('\r\nconnection: close');
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  let end;
  if (length) end = bodyStart + Number(length[1]);
  else if (head.includes('\r\ntransfer-encoding: chunked')) end = chunkedEnd(bytes, bodyStart);
  else throw new Error('an answer with neither a length nor chunks');
  if (end < 0 || end > bytes.length) return null;
  return { status, end, close };
}

/**
 * Runs `connections` loops over `requests` (Buffers, taken in turn across all connections) for `durationMs`,
 * or until `count` requests are sent. Requests under way at the end are waited for and counted.
 */
export function load({ url, requests, connections, durationMs = Infinity, count = Infinity, timeoutMs = 20_000 }) {
  const { hostname, port } = new URL(url);
  const latencies = [];
  const failures = new Map();
  let sent = 0;
  let next = 0;
  let lastAnswer = 0;
  const started = performance.now();
  const deadline = started + durationMs;
  const fail = (reason) => failures.set(reason, (failures.get(reason) ?? 0) + 1);

  const loop = () =>
    new Promise((resolve) => {
      let socket;
      let sentAt = 0;
      let waiting = false;
      let pending = null;
      // One coarse timer a connection instead of one a request.
      const watchdog = setInterval(() => {
        if (waiting && performance.now() - sentAt > timeoutMs) socket.destroy(new Error('no answer in time'));
      }, 1000);

      const finish = () => {
        clearInterval(watchdog);
        waiting = false;
        socket.destroy();
        resolve();
      };
      const send = () => {
        if (sent >= count || performance.now() >= deadline) return finish();
        const request = requests[next];
        next = next + 1 === requests.length ? 0 : next + 1;
        sent += 1;
        waiting = true;
        sentAt = performance.now();
        socket.write(request);
      };
      const open = () => {
        pending = null;
        socket = connect({ host: hostname, port: Number(port), noDelay: true });
        socket.once('connect', send);
        socket.on('data', (chunk) => {
          try {
            const bytes = pending ? Buffer.concat([pending, chunk]) : chunk;
            const answer = readAnswer(bytes);
            if (!answer) {
              pending = bytes;
              return;
            }
            if (answer.end !== bytes.length) throw new Error('bytes after the answer');
            pending = null;
            waiting = false;
            lastAnswer = performance.now();
            if (answer.status >= 200 && answer.status < 300) latencies.push(lastAnswer - sentAt);
            else fail(`status ${answer.status}`);
            if (answer.close) socket.end();
            else send();
          } catch (error) {
            socket.destroy(error);
          }
        });
        socket.on('error', (error) => {
          fail(error.code ?? error.message);
          waiting = false;
          // A server that refuses every connection must not turn this into a busy loop.
          if (error.code === 'ECONNREFUSED') sent = Infinity;
        });
        socket.once('close', () => {
          if (waiting) fail('connection closed before the answer');
          waiting = false;
          if (sent >= count || performance.now() >= deadline) finish();
          else open();
        });
      };
      open();
    });

  return Promise.all(Array.from({ length: connections }, loop)).then(() => {
    latencies.sort((a, b) => a - b);
    const seconds = (lastAnswer - started) / 1000;
    const errors = [...failures.values()].reduce((a, b) => a + b, 0);
    return {
      answered: latencies.length,
      errors,
      failures: Object.fromEntries(failures),
      rps: latencies.length / seconds,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    };
  });
}

/** Nearest-rank percentile of a sorted list. */
function percentile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] : NaN;
}

export function median(values) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (!sorted.length) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
