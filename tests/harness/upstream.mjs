// A model provider that misbehaves on purpose, for the paths that a well-behaved mock never takes.
//
//   const upstream = await startUpstream();
//   const platform = await withPlatform({ env: upstream.env });
//   upstream.answers('cut', ({ stream }) => stream([openai.text('half an ans')], { end: 'cut' }));
//   … POST /v1/chat/completions with model `openai/cut`
//
// The name of the model says what happens, so tests of one file can run side by side.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Seen          one request that arrived
 * @property {string} model        without the provider's prefix
 * @property {string} method
 * @property {string} path
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {any} body            parsed JSON
 * @property {boolean} broken      whether the other side closed before the answer was whole
 * @property {boolean} done        whether the answer was written to its end
 *
 * @typedef {object} Answer
 * @property {Seen} seen
 * @property {(status: number, body: unknown, headers?: Record<string, string>) => void} json
 * @property {(frames: Iterable<string | Buffer | number> | AsyncIterable<string | Buffer | number>, options?: {end?: 'close' | 'cut' | 'hang', contentType?: string, headers?: Record<string, string>}) => Promise<void>} stream
 *   writes frames one by one; a number is a pause in milliseconds; then closes, resets the connection, or stays silent
 * @property {import('node:http').ServerResponse} response
 */

/** Starts one. It ends with the test file. */
export async function startUpstream() {
  /** @type {Seen[]} */
  const requests = [];
  const handlers = new Map();
  const server = createServer(async (request, response) => {
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return; // whoever asked was killed while it was asking
    }
    const text = Buffer.concat(pieces).toString();
    let body;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    // Gemini names the model in the address, the others in the body.
    const model = /\/models\/([^:]+):/.exec(request.url)?.[1] ?? body?.model;
    const seen = { model, method: request.method, path: request.url, headers: request.headers, body, broken: false, done: false };
    requests.push(seen);
    response.on('close', () => {
      if (response.writableFinished) seen.done = true;
      else seen.broken = true;
    });
    response.on('error', () => {});
    const handler = handlers.get(model) ?? (({ json }) => json(200, openai.completion('The toll is paid at the gate.')));
    try {
      await handler({ seen, response, ...answering(response) });
    } catch (error) {
      if (!response.destroyed) response.destroy(error);
    }
  });
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  if (process.env.NODE_TEST_CONTEXT) after(stop);
  return {
    url,
    /** The settings that make this all three providers. */
    env: {
      OPENAI_API_KEY: 'sk-test-openai-0123456789',
      OPENAI_BASE_URL: `${url}/v1`,
      ANTHROPIC_API_KEY: 'sk-ant-test-0123456789',
      ANTHROPIC_BASE_URL: url,
      GEMINI_API_KEY: 'AIza-test-gemini-0123456789',
      GEMINI_BASE_URL: url,
    },
    requests,
    /** What arrived for a model. */
    seen: (model) => requests.filter((request) => request.model === model),
    /** @param {string} model @param {(answer: Answer) => unknown} handler */
    answers: (model, handler) => handlers.set(model, handler),
    stop,
  };
}

function answering(response) {
  return {
    json(status, body, headers = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
      response.end(text);
    },
    async stream(frames, { end = 'close', contentType = 'text/event-stream', headers = {} } = {}) {
      response.writeHead(200, { 'content-type': contentType, ...headers });
      response.flushHeaders();
      for await (const frame of frames) {
        if (response.destroyed) return;
        if (typeof frame === 'number') await sleep(frame);
        else if (!response.write(frame)) await drained(response);
      }
      if (end === 'close') response.end();
      else if (end === 'cut') {
        // What was written must have left before the reset.
        await sleep(50);
        response.socket?.resetAndDestroy();
      } else if (!response.destroyed) await once(response, 'close');
    },
  };
}

/** Waits until more can be written, or nobody reads any more. */
async function drained(response) {
  const over = new AbortController();
  const event = (name) => once(response, name, { signal: over.signal });
  await Promise.race([event('drain'), event('close')]).finally(() => over.abort());
}

const data = (value) => `data: ${JSON.stringify(value)}\n\n`;
const event = (type, value) => `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`;

/** Frames of OpenAI's chat completions. */
export const openai = {
  completion: (content, usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }) => ({
    id: 'chatcmpl-upstream',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'upstream',
    choices: [{ index: 0, message: { role: 'assistant', content }, logprobs: null, finish_reason: 'stop' }],
    ...(usage ? { usage } : {}),
  }),
  text: (content) => data({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'upstream', choices: [{ index: 0, delta: { content }, finish_reason: null }] }),
  finish: () => data({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'upstream', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  usage: (prompt_tokens, completion_tokens) =>
    data({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'upstream', choices: [], usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } }),
  /** Calls of tools, each in two pieces: its name first, then its arguments. */
  toolCalls: (calls) =>
    calls
      .flatMap(({ id, name, args }, index) => [{ index, id, type: 'function', function: { name, arguments: '' } }, { index, function: { arguments: JSON.stringify(args) } }])
      .map((call) => openai.delta({ tool_calls: [call] }))
      .join(''),
  /** Any piece of any choice, and the end of it. */
  delta: (delta, { index = 0, finish_reason = null } = {}) => data({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'upstream', choices: [{ index, delta, finish_reason }] }),
  error: (message = 'The server had an error') => data({ error: { message, type: 'server_error', param: null, code: null } }),
  done: () => 'data: [DONE]\n\n',
};

/** Frames of Anthropic's messages. */
export const anthropic = {
  start: (input_tokens) => event('message_start', { message: { id: 'msg_upstream', type: 'message', role: 'assistant', model: 'upstream', content: [], stop_reason: null, usage: { input_tokens, output_tokens: 1 } } }) + event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  text: (text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
  finish: (output_tokens, stop_reason = 'end_turn') => event('content_block_stop', { index: 0 }) + event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens } }) + event('message_stop', {}),
  /** Calls of tools as blocks after the first, each with its arguments in two pieces. */
  toolUses: (calls) =>
    calls
      .map(({ id, name, args }, at) => {
        const index = at + 1;
        const text = JSON.stringify(args);
        const pieces = [text.slice(0, 4), text.slice(4)].map((partial_json) => event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json } }));
        return event('content_block_start', { index, content_block: { type: 'tool_use', id, name, input: {} } }) + pieces.join('') + event('content_block_stop', { index });
      })
      .join(''),
  /** A whole message of these content blocks. */
  message: (content, { stop_reason = 'end_turn' } = {}) => ({ id: 'msg_upstream', type: 'message', role: 'assistant', model: 'upstream', content, stop_reason, stop_sequence: null, usage: { input_tokens: 11, output_tokens: 7 } }),
  ping: () => event('ping', {}),
  error: (type = 'overloaded_error', message = 'Overloaded') => event('error', { error: { type, message } }),
};

/** Frames of Gemini's `streamGenerateContent?alt=sse`. */
export const gemini = {
  /** A whole response, or a frame of a stream: the parts of each candidate. */
  response: (candidates) => ({
    candidates: candidates.map((parts, index) => ({ content: { role: 'model', parts }, finishReason: 'STOP', index })),
    usageMetadata: { promptTokenCount: 11, candidatesTokenCount: 7, totalTokenCount: 18 },
  }),
  frame: (response) => data(response),
  text: (text) => data({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0 }] }),
  finish: (promptTokenCount, candidatesTokenCount) =>
    data({
      candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP', index: 0 }],
      ...(promptTokenCount ? { usageMetadata: { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount } } : {}),
    }),
};
