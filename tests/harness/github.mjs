// GitHub's part of a sign-in, as its documentation has it, and strict: a code is good once, for the client, the address and the
// verifier that it was made for. <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

/** Starts one. It ends with the test file. */
export async function startGitHub({ clientId, clientSecret, redirectUri }) {
  const codes = new Map();
  const tokens = new Map();
  const refusals = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { pathname } = new URL(request.url, 'http://github');
    const json = (status, body) => response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
    // Errors come with 200.
    const refuse = (error) => {
      refusals.push(error);
      return json(200, { error, error_description: 'No.' });
    };
    if (request.method === 'POST' && pathname === '/login/oauth/access_token') {
      const form = new URLSearchParams(Buffer.concat(pieces).toString());
      const code = codes.get(form.get('code'));
      codes.delete(form.get('code'));
      if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret) return refuse('incorrect_client_credentials');
      const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (!code || code.challenge !== challenge) return refuse('bad_verification_code');
      if (form.get('redirect_uri') !== redirectUri()) return refuse('redirect_uri_mismatch');
      if (!/json/.test(request.headers.accept ?? '')) return response.writeHead(200).end('access_token=x');
      const token = `gho_${randomBytes(18).toString('hex')}`;
      tokens.set(token, code.person);
      return json(200, { access_token: token, scope: 'read:user,user:email', token_type: 'bearer' });
    }
    // The API.
    if (!request.headers['user-agent']) return json(403, { message: 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header' });
    const person = tokens.get(/^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1]);
    if (!person) return json(401, { message: 'Bad credentials' });
    if (pathname === '/api/user') return json(200, { id: person.id, login: person.login, name: person.name ?? null, email: null });
    if (pathname === '/api/user/emails') return json(200, person.emails);
    return json(404, { message: 'Not Found' });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  if (process.env.NODE_TEST_CONTEXT) after(stop);
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    stop,
    refusals,
    /** The callback's address after a sign-in of `{id, login, name, emails}`. */
    signIn(authorizeUrl, person) {
      const asked = new URL(authorizeUrl).searchParams;
      if (asked.get('client_id') !== clientId || asked.get('redirect_uri') !== redirectUri() || asked.get('code_challenge_method') !== 'S256') throw new Error(`GitHub shows an error page for ${authorizeUrl}`);
      const code = randomBytes(10).toString('hex');
      codes.set(code, { person, challenge: asked.get('code_challenge') });
      return `${redirectUri()}?${new URLSearchParams({ code, state: asked.get('state') })}`;
    },
  };
}
