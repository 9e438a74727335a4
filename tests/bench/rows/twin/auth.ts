import { createMiddleware } from 'hono/factory';
import { createLocalJWKSet, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { problem } from './problem';
import type { Env, Caller } from './env';

// Verified tokens, kept per isolate until they expire; the oldest goes when it is full.
const MAX_CACHED = 10_000;
const verified = new Map<string, Caller>();
let keys: JWTVerifyGetKey | undefined;

async function verify(token: string, jwks: string): Promise<Caller> {
  const known = verified.get(token);
  if (known) {
    if (known.expiresAt > Date.now()) return known;
    verified.delete(token);
  }
  keys ??= createLocalJWKSet(JSON.parse(jwks));
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['EdDSA'],
    issuer: 'tollgate-twin',
    audience: 'api',
    requiredClaims: ['sub', 'tenant', 'exp'],
  });
  const caller = { user: payload.sub!, tenant: String(payload.tenant), expiresAt: payload.exp! * 1000 };
  if (verified.size >= MAX_CACHED) verified.delete(verified.keys().next().value!);
  verified.set(token, caller);
  return caller;
}

/** Lets through who shows a valid bearer token, as `caller`. */
export const authenticated = createMiddleware<Env>(async (c, next) => {
  const header = c.req.header('Authorization');
  const id = c.get('requestId');
  if (!header?.startsWith('Bearer ')) return problem(401, 'unauthenticated', 'A bearer token is needed.', id);
  try {
    c.set('caller', await verify(header.slice(7), c.env.JWKS));
  } catch {
    return problem(401, 'invalid_token', 'The token is not valid.', id);
  }
  await next();
});
