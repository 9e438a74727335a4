// The upstream stub: what every row calls instead of OpenAI, and, measured by itself, the row "direct".
// It answers at once, so that a row shows its own cost and nothing of a model's.
import { createServer } from 'node:http';

export const COMPLETION = {
  id: 'chatcmpl-BenchStub0123456789abcdef',
  object: 'chat.completion',
  created: 1760000000,
  model: 'gpt-4o-mini-2024-07-18',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'The capital of France is Paris.', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 24, completion_tokens: 8, total_tokens: 32 },
  service_tier: 'default',
  system_fingerprint: 'fp_0123456789',
};

const ANSWER = Buffer.from(JSON.stringify(COMPLETION));
const STREAM = Buffer.from(streamFrames());

function streamFrames() {
  const { id, created, model, usage } = COMPLETION;
  const base = { id, object: 'chat.completion.chunk', created, model };
  const chunks = COMPLETION.choices[0].message.content.split(/(?<= )/).map((content, at) => ({
    ...base,
    choices: [{ index: 0, delta: at ? { content } : { role: 'assistant', content }, finish_reason: null }],
  }));
  chunks.push({ ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, { ...base, choices: [], usage });
  return `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;
}

export async function serve() {
  let answered = 0;
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      answered += 1;
      const body = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      if (body.includes('"stream":true') || body.includes('"stream": true')) {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': STREAM.length });
        response.end(STREAM);
      } else {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length });
        response.end(ANSWER);
      }
    });
  });
  // Longer than any pause in a run: a peer's pooled connection must not die between two of its turns.
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', 4096, resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    path: '/v1/chat/completions',
    model: 'gpt-4o-mini',
    tokens: async () => ['stub'],
    answered: async () => answered,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
