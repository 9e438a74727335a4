// An OpenID provider that answers whatever a test wants: for tokens that no honest one makes.
//
//   const forger = await startForgingProvider({ clientId: 'us' });
//   forger.token = ({ claims, sign }) => sign({ ...claims, nonce: 'another' });
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Starts one. It ends with the test file. */
export async function startForgingProvider({ clientId, port = 0 }) {
  const known = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const unknown = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const seen = { tokens: [], keys: 0, discoveries: 0 };
  const codes = new Map();
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const form = new URLSearchParams(Buffer.concat(pieces).toString());
    const json = (status, body, headers = {}) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    const { pathname } = new URL(request.url, forger.issuer);
    if (forger.instead?.(pathname, response)) return;
    if (pathname === '/.well-known/openid-configuration') {
      seen.discoveries += 1;
      return json(200, {
        issuer: forger.issuer,
        authorization_endpoint: `${forger.issuer}/authorize`,
        token_endpoint: `${forger.issuer}/token`,
        jwks_uri: `${forger.issuer}/keys`,
        authorization_response_iss_parameter_supported: true,
        ...forger.discovery,
      });
    }
    if (pathname === '/keys') {
      seen.keys += 1;
      return json(200, { keys: [{ ...known.publicKey.export({ format: 'jwk' }), kid: 'known', use: 'sig', alg: 'RS256' }] });
    }
    if (pathname === '/token') {
      seen.tokens.push({ form: Object.fromEntries(form), authorization: request.headers.authorization });
      const code = codes.get(form.get('code'));
      codes.delete(form.get('code'));
      if (!code) return json(400, { error: 'invalid_grant' });
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: forger.issuer, aud: clientId, iat: now, exp: now + 300, nonce: code.nonce, ...code.person };
      return json(200, { token_type: 'Bearer', access_token: 'x', id_token: forger.token({ claims, sign, forge }) });
    }
    return json(404, {});
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const rs256 = (key, header, claims) => {
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
  };
  /** As an honest provider does. */
  const sign = (claims, header = {}) => rs256(known.privateKey, { alg: 'RS256', kid: 'known', ...header }, claims);
  const forge = {
    /** Not signed at all. */
    none: (claims) => `${part({ alg: 'none' })}.${part(claims)}.`,
    /** "Signed" with the public key as a shared secret. */
    hs256: (claims) => {
      const secret = known.publicKey.export({ type: 'spki', format: 'pem' });
      const signed = `${part({ alg: 'HS256', kid: 'known' })}.${part(claims)}`;
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    },
    /** Signed with a key that is not among the provider's, under a name that is, or is not. */
    otherKey: (claims, kid) => rs256(unknown.privateKey, { alg: 'RS256', kid }, claims),
  };
  const honest = ({ claims }) => sign(claims);
  const forger = {
    issuer: `http://127.0.0.1:${server.address().port}`,
    seen,
    /** What the discovery document says otherwise. */
    discovery: {},
    /** Answers in place of the provider: `(path, response) => true`. */
    instead: undefined,
    /** Makes the ID token. */
    token: honest,
    honest,
    /**
     * The callback's address after a sign-in.
     * @param {string} url where the platform sent the browser
     * @param {object} person claims about who it is
     * @param {object} [otherwise] parameters of the callback that differ; `undefined` leaves one out
     */
    signIn(url, person, otherwise = {}) {
      const asked = new URL(url).searchParams;
      const code = crypto.randomUUID();
      codes.set(code, { nonce: asked.get('nonce'), person });
      const parameters = { code, state: asked.get('state'), iss: forger.issuer, ...otherwise };
      const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
      return `${asked.get('redirect_uri')}?${query}`;
    },
  };
  return forger;
}
