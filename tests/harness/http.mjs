// Small helpers for tests that speak HTTP: users, headers, and the problem documents of RFC 9457.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

/** A password that the platform accepts. */
export const PASSWORD = 'a long and quiet password 42';

/** An e-mail address that nobody has. */
export function freshEmail() {
  return `user-${randomUUID()}@example.com`;
}

/**
 * Registers a new user.
 *
 * @param {{url: string} | string} platform
 * @param {object} [input] members that differ from the usual ones
 * @returns {Promise<{user: any, tenant: any, access_token: string, refresh_token: string, token_type: string, expires_in: number, email: string, password: string}>}
 */
export async function register(platform, input = {}) {
  const body = { email: freshEmail(), password: PASSWORD, ...input };
  const { status, data } = await call(platform, 'POST', '/auth/register', { body });
  assert.equal(status, 201, `registration answers 201, not ${status}: ${JSON.stringify(data)}`);
  return { ...data, email: body.email, password: body.password };
}

/** The header of an access token or API key. */
export function bearer(token) {
  return { authorization: `Bearer ${token}` };
}

/**
 * One call. The body is sent as JSON unless it is a string or bytes; the answer is read, as JSON where it says so.
 *
 * @param {{url: string} | string} platform
 * @param {string} method
 * @param {string} path
 * @param {{token?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<{status: number, headers: Headers, data: any, text: string}>}
 */
export async function call(platform, method, path, { token, body, headers = {}, signal } = {}) {
  const base = typeof platform === 'string' ? platform : platform.url;
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(base + path, {
    method,
    headers: {
      ...(body === undefined || headers['content-type'] !== undefined ? {} : { 'content-type': 'application/json' }),
      ...(token ? bearer(token) : {}),
      ...headers,
    },
    body: raw ? body : JSON.stringify(body),
    redirect: 'manual',
    signal,
  });
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, text, data: isJson && text ? JSON.parse(text) : undefined };
}

export const get = (platform, path, options) => call(platform, 'GET', path, options);
export const post = (platform, path, body, options) => call(platform, 'POST', path, { ...options, body });
export const patch = (platform, path, body, options) => call(platform, 'PATCH', path, { ...options, body });
export const del = (platform, path, options) => call(platform, 'DELETE', path, options);

/** A chat completion without streaming; `tollgate/extractive` unless another model is named. */
export function chat(platform, token, { content = 'The toll is paid at the gate. Where is the toll paid?', headers, ...rest } = {}) {
  return post(platform, '/v1/chat/completions', { model: 'tollgate/extractive', messages: [{ role: 'user', content }], ...rest }, { token, headers });
}

/**
 * Asserts that an answer is the documented problem.
 *
 * @param {{status: number, headers: Headers, data: any, text: string}} answer
 * @param {number} status
 * @param {string} [code] e.g. `quota_exceeded`
 * @returns {any} the problem, for more assertions
 */
export function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, `status ${answer.status}, body ${answer.text.slice(0, 500)}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json\b/);
  const problem = answer.data;
  assert.equal(problem.status, status, 'the member `status` repeats the status');
  for (const member of ['type', 'title', 'code']) assert.equal(typeof problem[member], 'string', `the problem has a ${member}`);
  assert.ok(problem.title.length > 0, 'the title is not empty');
  assert.ok(problem.request_id, 'the problem names its request');
  assert.equal(problem.request_id, answer.headers.get('x-request-id'), 'the same request id as in the header');
  if (code !== undefined) assert.equal(problem.code, code);
  // Nothing of the inside shows.
  assert.doesNotMatch(answer.text, /panicked|RuntimeError|wasm-function|\.rs:\d+|D1_ERROR|SQLITE_/);
  return problem;
}

/**
 * The events of a server-sent stream, one by one, as they arrive.
 * @param {Response} response
 * @returns {AsyncGenerator<{event: string, data: string, id?: string}>}
 */
export async function* events(response) {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of response.body) {
    pending += decoder.decode(chunk, { stream: true });
    const frames = pending.split(/\r?\n\r?\n/);
    pending = frames.pop();
    for (const frame of frames) {
      const event = { event: 'message', data: '' };
      const data = [];
      for (const line of frame.split(/\r?\n/)) {
        if (line.startsWith(':')) continue;
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (name === 'data') data.push(value);
        else if (name === 'event') event.event = value;
        else if (name === 'id') event.id = value;
      }
      event.data = data.join('\n');
      if (data.length > 0) yield event;
    }
  }
}
