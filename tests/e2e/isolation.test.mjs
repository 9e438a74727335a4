// The sweep: every operation of the OpenAPI document, asked by one tenant for what belongs to another. An operation that is not
// in the table below fails the sweep: whoever adds one says here how a stranger would ask for somebody else's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assertProblem, bearer, call, chat, freshEmail, get, register } from '../harness/http.mjs';
import { withDatabase } from '../harness/database.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { eventually } from '../harness/usage.mjs';

const document = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

/**
 * How each operation is asked. `open`: for everybody, nobody's rows are in it. `own`: about the caller alone; `body` where it
 * wants one. `of`: about an object with an id; answers the path of the given tenant's object, made beforehand.
 */
const OPERATIONS = {
  'GET /health': { open: true },
  'GET /health/ready': { open: true },
  'GET /auth/.well-known/jwks.json': { open: true },
  'POST /auth/register': { open: true, body: { email: 'nobody' }, status: 422 },
  'POST /auth/login': { open: true, body: { email: 'nobody@example.com', password: 'a wrong one, but long' }, status: 401 },
  // The token is the credential: a stranger's own says nothing about anybody else.
  'POST /auth/refresh': { open: true, body: (stranger) => ({ refresh_token: stranger.refresh_token }) },
  'POST /auth/logout': { open: true, body: { refresh_token: 'none' }, status: 204 },
  'POST /auth/verify-email': { open: true, body: { token: 'none' }, status: 422 },
  'POST /auth/forgot-password': { open: true, body: { email: 'nobody@example.com' }, status: 204 },
  'POST /auth/reset-password': { open: true, body: { token: 'none', password: 'a long and quiet password 43' }, status: 422 },
  'POST /auth/verify-email/resend': { own: true, status: 204 },
  'GET /auth/sessions': { own: true },
  'DELETE /auth/sessions/{id}': { of: async (owner) => `/auth/sessions/${await otherSession(owner)}` },
  'GET /auth/oauth/{provider}/start': { open: true, path: '/auth/oauth/google/start', status: 404 },
  'GET /auth/oauth/{provider}/callback': { open: true, path: '/auth/oauth/google/callback', status: 404 },
  'POST /auth/oauth/token': { open: true, body: { code: 'none' }, status: 401 },
  'GET /auth/sso/start': { open: true, path: '/auth/sso/start?domain=nobody.example', status: 404 },
  'GET /auth/sso/callback': { open: true, status: 401 },
  'GET /auth/identities': { own: true },
  'DELETE /auth/identities/{id}': { of: (owner) => `/auth/identities/${identityOf(owner)}` },
  'GET /team/sso': { own: true },
  'PUT /team/sso': { own: true, body: { issuer: 'none', client_id: 'x', client_secret: 'x' }, status: 422 },
  'DELETE /team/sso': { own: true, status: 404 },
  'POST /team/sso/domains': { own: true, body: { domain: 'stranger.example' }, status: 201 },
  'POST /team/sso/domains/{domain}/verify': { of: async (owner) => `/team/sso/domains/${await domain(owner)}/verify` },
  'DELETE /team/sso/domains/{domain}': { of: async (owner) => `/team/sso/domains/${await domain(owner)}` },
  'POST /auth/password': { own: true, body: { current_password: 'a wrong one, but long', new_password: 'a long and quiet password 43' }, status: 422 },
  'GET /auth/totp': { own: true },
  'POST /auth/totp/enroll': { own: true, body: (stranger) => ({ password: stranger.password }) },
  'POST /auth/totp/confirm': { own: true, body: { code: 'none' }, status: 422 },
  'POST /auth/totp/disable': { own: true, body: { code: '000000' }, status: 409 },
  'POST /auth/totp/recovery-codes': { own: true, body: { code: '000000' }, status: 409 },
  'GET /user/api-keys': { own: true },
  'POST /user/api-keys': { own: true, body: { name: 'mine', scopes: ['chat'] }, status: 201 },
  'DELETE /user/api-keys/{id}': { of: async (owner) => `/user/api-keys/${await apiKey(owner)}` },
  'POST /user/api-keys/{id}/rotate': { of: async (owner) => `/user/api-keys/${await apiKey(owner)}/rotate`, body: {} },
  'GET /subscription/plans': { open: true },
  'GET /subscription': { own: true },
  // Their plan was given to them, not bought.
  'PATCH /subscription': { own: true, body: { seats: 3 }, status: 422 },
  'POST /subscription/checkout': { own: true, body: { plan: 'pro' }, status: 409 },
  'POST /user/upgrade-subscription': { own: true, body: { product: 'chat', plan: 'pro' } },
  'POST /subscription/portal': { own: true, body: {} },
  'GET /subscription/invoices': { own: true },
  // Stripe's and the operator's: no tenant's token opens them.
  'POST /webhooks/stripe': { open: true, body: {}, status: 400 },
  'GET /admin/stripe-events': { own: true, status: 401 },
  'POST /admin/stripe-events/{id}/replay': { own: true, path: '/admin/stripe-events/evt_1/replay', status: 401 },
  'GET /audit': { own: true },
  'GET /audit/export': { own: true },
  'GET /audit/verify': { own: true },
  'GET /team': { own: true },
  'PATCH /team': { own: true, body: { name: 'Ada' } },
  'GET /team/members': { own: true },
  'PATCH /team/members/{user_id}': { of: (owner) => `/team/members/${owner.user.id}`, body: { role: 'owner' } },
  'DELETE /team/members/{user_id}': { of: (owner) => `/team/members/${owner.user.id}` },
  'GET /team/invites': { own: true },
  'POST /team/invites': { own: true, body: { email: 'grace@example.com', role: 'member' }, status: 201 },
  'DELETE /team/invites/{id}': { of: async (owner) => `/team/invites/${await invitation(owner)}` },
  'POST /team/invites/accept': { own: true, body: { token: 'none' }, status: 404 },
  'GET /admin/users': { own: true },
  'GET /user/notifications': { own: true },
  'PUT /user/notifications': { own: true, body: { summary: false } },
  // The signed token is the credential.
  'GET /user/notifications/unsubscribe': { open: true, status: 404 },
  'POST /user/notifications/unsubscribe': { open: true, status: 404 },
  // The operator's, who is nobody's user.
  'GET /admin/jobs': { own: true, status: 401 },
  'POST /admin/jobs/{name}/run': { own: true, status: 401, path: '/admin/jobs/clean_up/run' },
  'GET /admin/mails': { own: true, status: 401 },
  'POST /admin/mails/replay': { own: true, status: 401, body: { tenant_id: 'ten_x', event: 'x' } },
  'GET /usage/statements': { own: true },
  'GET /usage/statements/{month}': { own: true, status: 404, path: '/usage/statements/2026-01' },
  'GET /user/config': { own: true },
  'GET /user/export': { own: true },
  // A user of its own: whoever asks is gone afterwards.
  'DELETE /user': { own: true, body: { password: 'not the right one at all' }, status: 401 },
  'PUT /user/config': { own: true, body: { theme: 'dark' } },
  'GET /user/profile': { own: true },
  'PATCH /user/profile': { own: true, body: { name: 'Ada' } },
  'GET /user/trial-status': { own: true },
  'GET /usage/quota': { own: true },
  'GET /usage/summary': { own: true },
  'GET /usage/logs': { own: true },
  'GET /usage/export': { own: true },
  'GET /usage/ledger/verify': { own: true },
  'POST /v1/chat/completions': { own: true, body: { model: 'tollgate/extractive', messages: [{ role: 'user', content: 'Hi' }] } },
  // Models are the platform's, the same for everybody.
  'GET /v1/models': { own: true },
  'GET /v1/models/{id}': { own: true, path: '/v1/models/tollgate%2Fextractive' },
  'GET /v1/models/{provider}/{model}': { own: true, path: '/v1/models/tollgate/extractive' },
};

/** A new key of somebody's, by its id. */
const apiKey = async (owner) => (await call(platform, 'POST', '/user/api-keys', { token: owner.access_token, body: { name: 'mine', scopes: ['chat'] } })).data.id;
/** A linked sign-in of somebody's, by its id: it stands in the database from the beginning. */
const identityOf = (owner) => `idn_${owner.user.id.slice(4)}`;
/** A domain that somebody claims. */
const domain = async (owner) => (await call(platform, 'POST', '/team/sso/domains', { token: owner.access_token, body: { domain: 'victim.example' } })).data.domain;
/** A session of somebody's on another device, by its id. */
async function otherSession(owner) {
  assert.equal((await call(platform, 'POST', '/auth/login', { body: { email: owner.email, password: owner.password } })).status, 200);
  const { data } = await get(platform, '/auth/sessions', { token: owner.access_token });
  return data.data.find(({ current }) => !current).id;
}
/** A new invitation of somebody's, by its id. */
const invitation = async (owner) => (await call(platform, 'POST', '/team/invites', { token: owner.access_token, body: { email: freshEmail(), role: 'member' } })).data.id;

/** Parameters that could name somebody else's object, where an operation takes them. */
const FOREIGN_PARAMETERS = { user_id: (victim) => victim.user.id, cursor: (victim) => victim.cursor };

const stripe = await startStripe();
const platform = await withPlatform({ env: { ...stripe.env, OPERATOR_TOKEN: 'op_0123456789abcdef0123456789' } });
await stripe.pushCatalogue(platform);

/** Two tenants whose data look alike: the same names, the same plan, the same requests. */
const accounts = [await register(platform, { name: 'Ada' }), await register(platform, { name: 'Ada' })];
await platform.restart({
  whileStopped: () => {
    subscribe(platform.stateDir, accounts.map(({ user }) => ({ user, plan: 'teams' })));
    withDatabase(platform.stateDir, (database) => {
      database.exec('UPDATE subscriptions SET seats = 20');
      database.exec("INSERT INTO provider_identities SELECT 'google', 'https://accounts.google.com', user_id, 'idn_' || substr(user_id, 5), tenant_id, user_id, email, created_at FROM users");
    });
  },
});
async function lookAlike(account) {
  const first = await chat(platform, account.access_token, { content: 'The same question' });
  await chat(platform, account.access_token, { content: 'The same question' });
  const logs = await eventually('the log has both', async () => {
    const page = await get(platform, '/usage/logs?limit=1', { token: account.access_token });
    return page.data.next_cursor && page.data;
  });
  return { ...account, cursor: logs.next_cursor, requestId: first.headers.get('x-request-id'), completion: first.data.id };
}
const [victim, stranger] = [await lookAlike(accounts[0]), await lookAlike(accounts[1])];

/** What an answer to the stranger must never hold: each is in the victim's rows and in nobody else's. */
const secrets = [victim.user.id, victim.tenant.id, victim.email, victim.requestId, victim.completion, victim.refresh_token];
const assertNothingLeaks = (answer, what) => {
  for (const secret of secrets) {
    assert.ok(!answer.text.includes(secret), `${what} tells ${secret}: ${answer.text.slice(0, 300)}`);
    for (const [name, value] of answer.headers) assert.ok(!value.includes(secret), `${what} tells ${secret} in ${name}`);
  }
};

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({ name: `${method.toUpperCase()} ${path}`, path, method: method.toUpperCase(), operation: item[method] })),
);

test('every operation of the document is in the table, and nothing else', () => {
  assert.deepEqual(Object.keys(OPERATIONS).sort(), operations.map(({ name }) => name).sort());
});

let asked = 0;
for (const { name, path, method, operation } of operations) {
  const how = OPERATIONS[name];
  if (!how) continue;
  test(`${name}: nothing of another tenant's`, async () => {
    const body = typeof how.body === 'function' ? how.body(stranger) : how.body;
    if (how.of) {
      const foreign = await how.of(victim); // once for both: what is asked by its owner last may end it
      const answer = await call(platform, method, foreign, { token: stranger.access_token, body });
      assertProblem(answer, 404);
      assertNothingLeaks(answer, name);
      // The object is there: its own tenant is answered something else.
      assert.notEqual((await call(platform, method, foreign, { token: victim.access_token, body })).status, 404, foreign);
      asked += 1;
      return;
    }
    const address = how.path ?? path;
    const token = how.open ? undefined : stranger.access_token;
    const own = await call(platform, method, address, { token, body });
    assert.equal(own.status, how.status ?? 200, own.text.slice(0, 300));
    assertNothingLeaks(own, name);
    asked += 1;
    for (const { name: parameter, in: place } of operation.parameters ?? []) {
      if (place !== 'query' || !FOREIGN_PARAMETERS[parameter]) continue;
      const value = FOREIGN_PARAMETERS[parameter](victim);
      const answer = await call(platform, method, `${address}?${parameter}=${encodeURIComponent(value)}`, { token, body });
      assertNothingLeaks(answer, `${name} with ${parameter}`);
      asked += 1;
    }
    if (operation.security?.length) {
      assertProblem(await call(platform, method, address, { body }), 401);
      // Whatever a request says of a tenant, the token decides.
      const forged = { ...bearer(stranger.access_token), 'x-tenant-id': victim.tenant.id, 'x-user-id': victim.user.id, 'x-forwarded-user': victim.user.id };
      assertNothingLeaks(await call(platform, method, `${address}?tenant_id=${victim.tenant.id}`, { headers: forged, body }), `${name} with a forged tenant`);
      asked += 1;
    }
  });
}

test('the count of the sweep', (t) => {
  t.diagnostic(`${operations.length} operations, ${asked} answers looked through, nothing leaked`);
  assert.ok(asked >= operations.length);
  platform.assertNoPanic();
});
