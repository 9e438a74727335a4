// The twin's chat Worker: POST /v1/chat/completions, authenticated, validated and metered.
import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { authenticated } from './auth';
import type { Env } from './env';
import { problem } from './problem';
import { Invalid, parseChatRequest, type ChatRequest } from './request';

export { Meter } from './meter';

const app = new Hono<Env>();

app.use(requestId()); // the gateway's, when it sent one

const meterOf = (env: Env['Bindings'], { tenant, user }: { tenant: string; user: string }) =>
  env.METER.get(env.METER.idFromName(`${tenant}:${user}`));

app.post('/v1/chat/completions', authenticated, async (c) => {
  const id = c.get('requestId');
  let chat: ChatRequest;
  try {
    chat = parseChatRequest(await c.req.text());
  } catch (error) {
    if (error instanceof Invalid) return problem(error.status, 'invalid_request', error.message, id, { field: error.field });
    throw error;
  }
  if (chat.provider !== 'openai') return problem(404, 'model_not_found', `There is no provider ${chat.provider}.`, id);

  const meter = meterOf(c.env, c.get('caller'));
  const decision = await meter.reserve(c.req.header('Idempotency-Key') ?? id, chat.model, chat.estimatedTokens);
  if (!decision.admitted)
    return problem(429, 'quota_exceeded', `The plan's ${decision.meter} are used up.`, id, {
      meter: decision.meter,
      limit: decision.limit,
      used: decision.used,
    });

  const upstream = await fetch(`${c.env.OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${c.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ ...chat.body, model: chat.model }),
  });
  const text = await upstream.text();
  if (!upstream.ok) {
    c.executionCtx.waitUntil(meter.settle(decision.reservation, 0));
    return problem(502, 'provider_error', 'The provider did not answer.', id);
  }
  const { usage } = JSON.parse(text) as { usage?: { total_tokens?: number } };
  c.executionCtx.waitUntil(meter.settle(decision.reservation, usage?.total_tokens ?? chat.estimatedTokens));

  return c.body(text, 200, {
    'Content-Type': 'application/json',
    'X-Requests-Remaining': String(decision.requestsLeft),
    'X-Tokens-Remaining': String(decision.tokensLeft),
  });
});

app.get('/usage', authenticated, async (c) => c.json(await meterOf(c.env, c.get('caller')).usage()));

app.notFound((c) => problem(404, 'not_found', 'There is nothing here.', c.get('requestId')));
app.onError((error, c) => {
  console.error(c.get('requestId'), error);
  return problem(500, 'internal', 'Something went wrong on our side.', c.get('requestId'));
});

export default app;
