// Streams that no provider documents: the recordings of `shared/providers/tests/recordings` with frames dropped, doubled, swapped,
// cut and mixed with what gateways in between put in. From a generator with a seed: the same each time.
import { readFileSync } from 'node:fs';

const RECORDINGS = new URL('../../shared/providers/tests/recordings/', import.meta.url);

/** Recordings by provider. */
const OF = {
  openai: ['openai_text', 'openai_tool_calls', 'openai_running_usage', 'openai_two_choices', 'openai_error', 'openai_cut'],
  anthropic: ['anthropic_text', 'anthropic_tool_use', 'anthropic_thinking', 'anthropic_error', 'anthropic_cut_before_stop'],
  gemini: ['gemini_text', 'gemini_tool_calls', 'gemini_thinking', 'gemini_safety', 'gemini_error', 'gemini_cut'],
};

/** What stands between frames without being part of an answer, and what is no frame at all. */
const STRANGE = [
  ': a comment\n\n',
  'data:\n\n',
  'retry: 3000\n\n',
  'event: ping\ndata: {"type":"ping"}\n\n',
  'data: {}\n\n',
  'data: []\n\n',
  'data: null\n\n',
  'data: {"choices":[]}\n\n',
  'data: {"error":{"message":"overloaded"}}\n\n',
  'data: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
  'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
  'data: {"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":-1}}\n\n',
  'data: {"candidates":[{"content":null,"finishReason":""}]}\n\n',
  'data: {not json\n\n',
  'data: [DONE]\n\n',
  '<html>502</html>\n\n',
  '\uFEFF',
  '\r\r\n',
];

/** Numbers below a limit, the same for the same seed (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/**
 * So many of a provider.
 *
 * @param {'openai' | 'anthropic' | 'gemini'} provider
 * @returns {{name: string, pieces: Buffer[], end: 'close' | 'cut'}[]} as they arrive
 */
export function malformedStreams(provider, count, seed) {
  const below = dice(seed);
  return Array.from({ length: count }, () => {
    const name = OF[provider][below(OF[provider].length)];
    const text = readFileSync(new URL(`${name}.sse`, RECORDINGS), 'utf8').replaceAll('\r\n', '\n');
    const frames = text.split(/(?<=\n\n)/);
    for (let changes = below(5); changes >= 0; changes--) {
      const at = below(frames.length);
      const kind = below(7);
      if (kind === 0 && frames.length > 1) frames.splice(at, 1);
      else if (kind === 1) frames.splice(at, 0, frames[at]);
      else if (kind === 2) frames.splice(below(frames.length), 0, ...frames.splice(at, 1));
      else if (kind === 3) frames.splice(at, 0, STRANGE[below(STRANGE.length)]);
      else if (kind === 4) frames[at] = frames[at].slice(0, below(frames[at].length + 1));
      else if (kind === 5) frames.length = at + 1;
      else frames.unshift(STRANGE[below(STRANGE.length)]);
    }
    const bytes = Buffer.from(frames.join(''));
    const pieces = [];
    for (let from = 0; from < bytes.length;) {
      const to = Math.min(bytes.length, from + 1 + below(400));
      pieces.push(bytes.subarray(from, to));
      from = to;
    }
    return { name, pieces, end: below(4) === 0 ? 'cut' : 'close' };
  });
}
