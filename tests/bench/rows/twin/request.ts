// What a chat request must look like. Fields that are not listed are passed on: providers add some every month.
const MAX_BYTES = 4 * 1024 * 1024;
const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool']);
const TYPICAL_ANSWER = 256;

export interface ChatRequest {
  provider: string;
  model: string;
  body: Record<string, unknown>;
  estimatedTokens: number;
}

export class Invalid extends Error {
  constructor(
    readonly field: string,
    message: string,
    readonly status = 422,
  ) {
    super(message);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function integer(body: Record<string, unknown>, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw new Invalid(field, 'must be a positive integer');
  return value as number;
}

function within(body: Record<string, unknown>, field: string, low: number, high: number) {
  const value = body[field];
  if (value === undefined || value === null) return;
  if (typeof value !== 'number' || value < low || value > high) throw new Invalid(field, `must be between ${low} and ${high}`);
}

export function parseChatRequest(text: string): ChatRequest {
  if (text.length > MAX_BYTES) throw new Invalid('body', 'is too large', 413);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Invalid('body', 'must be JSON');
  }
  if (!isObject(body)) throw new Invalid('body', 'must be an object');
  if (typeof body.model !== 'string' || !body.model.includes('/')) throw new Invalid('model', 'must be provider/model');
  if (!Array.isArray(body.messages) || body.messages.length === 0)
    throw new Invalid('messages', 'must be a list with at least one message');
  body.messages.forEach((message: unknown, at: number) => {
    if (!isObject(message)) throw new Invalid(`messages[${at}]`, 'must be an object');
    if (!ROLES.has(message.role as string)) throw new Invalid(`messages[${at}].role`, 'is not a role');
    const { content } = message;
    if (typeof content !== 'string' && !Array.isArray(content) && content !== null && content !== undefined)
      throw new Invalid(`messages[${at}].content`, 'must be text or a list of parts');
  });
  within(body, 'temperature', 0, 2);
  within(body, 'top_p', 0, 1);
  if (body.stream) throw new Invalid('stream', 'is not part of this twin');
  const maxTokens = integer(body, 'max_completion_tokens') ?? integer(body, 'max_tokens') ?? TYPICAL_ANSWER;

  const slash = body.model.indexOf('/');
  return {
    provider: body.model.slice(0, slash),
    model: body.model.slice(slash + 1),
    body,
    estimatedTokens: Math.ceil(text.length / 4) + maxTokens,
  };
}
