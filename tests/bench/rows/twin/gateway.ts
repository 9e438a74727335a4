// The twin's public Worker: CORS, request id, route table. What Tollgate's gateway does, as one writes it with hono.
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { requestId, type RequestIdVariables } from 'hono/request-id';
import { problem } from './problem';

interface Env {
  Bindings: { CHAT: Fetcher };
  Variables: RequestIdVariables;
}

const app = new Hono<Env>();

app.use(requestId());
app.use(
  cors({
    origin: '*',
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'],
    exposeHeaders: ['X-Request-Id', 'X-Requests-Remaining', 'X-Tokens-Remaining'],
  }),
);

const forward = (service: Fetcher, request: Request, id: string) => {
  const headers = new Headers(request.headers);
  headers.set('X-Request-Id', id);
  return service.fetch(new Request(request, { headers }));
};

app.all('/v1/*', async (c) => {
  const answer = await forward(c.env.CHAT, c.req.raw, c.get('requestId'));
  // A service's answer is immutable; CORS adds to it.
  return new Response(answer.body, answer);
});
app.get('/usage', (c) => forward(c.env.CHAT, c.req.raw, c.get('requestId')));

app.notFound((c) => problem(404, 'not_found', 'There is nothing here.', c.get('requestId')));
app.onError((error, c) => {
  console.error(c.get('requestId'), error);
  return problem(500, 'internal', 'Something went wrong on our side.', c.get('requestId'));
});

export default app;
