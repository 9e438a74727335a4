// Single sign-on of teams: domains proven by DNS, a certified OpenID provider for each team, members made just in time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';
import { freePort } from '../../tools/lib/free-port.mjs';
import { auditEntries } from '../harness/audit-rows.mjs';
import { Browser } from '../harness/browser.mjs';
import { withDatabase } from '../harness/database.mjs';
import { startForgingProvider } from '../harness/forging-provider.mjs';
import { assertProblem, call, chat, del, get, PASSWORD, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { startOpenIdProvider } from '../harness/openid-provider.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

/** TXT records, by name, and questions that came. */
const records = new Map();
const asked = [];
const resolver = createServer((request, response) => {
  const query = new URL(request.url, 'http://resolver').searchParams;
  asked.push({ name: query.get('name'), type: query.get('type'), accept: request.headers.accept });
  const texts = records.get(query.get('name')) ?? [];
  const answer = texts.map((text) => ({ name: query.get('name'), type: 16, TTL: 300, data: `"${text}"` }));
  response.writeHead(200, { 'content-type': 'application/dns-json' }).end(JSON.stringify({ Status: answer.length ? 0 : 3, ...(answer.length ? { Answer: answer } : {}) }));
}).listen(0, '127.0.0.1');
await once(resolver, 'listening');
after(() => resolver.close());

const port = await freePort();
const forger = await startForgingProvider({ clientId: 'evil' });
const platform = await withPlatform({ env: { DOH_BASE_URL: `http://127.0.0.1:${resolver.address().port}/dns-query` } });
const SECRET = 'the secret of a team';
const openid = await startOpenIdProvider({
  port,
  clients: ['RS256', 'PS256', 'ES256', 'EdDSA'].map((alg) => ({ client_id: `team-${alg}`, client_secret: SECRET, id_token_signed_response_alg: alg, redirect_uris: [`${platform.url}/auth/sso/callback`] })),
});

/** Owners of teams with seats; the second is a stranger to the first. */
let owners;
before(async () => {
  owners = [];
  for (let n = 0; n < 5; n++) owners.push(await register(platform, { name: `Owner ${n}` }));
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, owners.slice(0, 4).map(({ user }) => ({ user, plan: 'teams' })));
      withDatabase(platform.stateDir, (database) => database.exec('UPDATE subscriptions SET seats = 3'));
    },
  });
});

const as = (owner) => ({ token: owner.access_token });
const put = (path, body, owner) => call(platform, 'PUT', path, { body, token: owner.access_token });
const freshDomain = () => `d${randomUUID().slice(0, 8)}.example`;
async function prove(owner, domain) {
  const claimed = await post(platform, '/team/sso/domains', { domain }, as(owner));
  assert.equal(claimed.status, 201, claimed.text);
  const { record } = claimed.data;
  records.set(record.name, [...(records.get(record.name) ?? ['v=spf1 -all']), record.value]);
  return post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(owner));
}
/** A team with a provider and a domain. */
async function setUp(owner, { client_id = 'team-RS256', domain = freshDomain() } = {}) {
  const set = await put('/team/sso', { issuer: openid.issuer, client_id, client_secret: SECRET }, owner);
  assert.equal(set.status, 200, set.text);
  const verified = await prove(owner, domain);
  assert.equal(verified.status, 200, verified.text);
  return domain;
}
const person = (domain, more) => ({ sub: randomUUID(), email: `${randomUUID().slice(0, 8)}@${domain}`, email_verified: true, ...more });
async function signIn(domain, who, browser = new Browser()) {
  const start = await browser.send(`${platform.url}/auth/sso/start?email=somebody@${domain}`);
  assert.equal(start.status, 302, start.text);
  return browser.send(await openid.signIn(browser, start.location, who));
}
const members = async (owner) => (await get(platform, '/team/members', as(owner))).data.data.map(({ email, role }) => ({ email, role }));

test('a provider is set by owners, in a plan with seats, and its secret is never answered', async () => {
  const [owner, , , , single] = owners;
  const body = { issuer: openid.issuer, client_id: 'team-RS256', client_secret: SECRET };
  assertProblem(await put('/team/sso', body, single), 403, 'plan_lacks_feature');
  assertProblem(await post(platform, '/team/sso/domains', { domain: freshDomain() }, as(single)), 403, 'plan_lacks_feature');
  assert.deepEqual((await get(platform, '/team/sso', as(owner))).data, { issuer: null, client_id: null, changed_at: null, redirect_uri: `${platform.url}/auth/sso/callback`, domains: [] });
  const set = await put('/team/sso', body, owner);
  assert.equal(set.status, 200, set.text);
  assert.equal(set.data.issuer, openid.issuer);
  assert.ok(!set.text.includes(SECRET));
  assert.ok(!(await get(platform, '/team/sso', as(owner))).text.includes(SECRET));
  for (const issuer of ['', 'ftp://a.example', 'http://user@127.0.0.1/', `${openid.issuer}/`, `http://127.0.0.1:${await freePort()}`]) {
    const problem = assertProblem(await put('/team/sso', { ...body, issuer }, owner), 422, 'invalid_input');
    assert.equal(problem.errors[0].field, 'issuer');
  }
  assertProblem(await put('/team/sso', { ...body, client_secret: 'ü' }, owner), 422, 'invalid_input');
  assert.equal((await del(platform, '/team/sso', as(owner))).status, 204);
  assertProblem(await del(platform, '/team/sso', as(owner)), 404);
});

test('a domain is proven by its record alone, and belongs to one team', async () => {
  const [owner, other] = owners;
  const domain = freshDomain();
  for (const wrong of ['gmail.com', 'Outlook.com', 'x', 'a@b.example', '10.0.0.1']) {
    assertProblem(await post(platform, '/team/sso/domains', { domain: wrong }, as(owner)), 422, 'invalid_input');
  }
  const claimed = await post(platform, '/team/sso/domains', { domain: domain.toUpperCase() }, as(owner));
  assert.deepEqual([claimed.status, claimed.data.domain, claimed.data.verified_at], [201, domain, null]);
  const { record } = claimed.data;
  assert.deepEqual([record.name, record.type], [`_tollgate-challenge.${domain}`, 'TXT']);
  // Claimed again it is the same record.
  assert.deepEqual((await post(platform, '/team/sso/domains', { domain }, as(owner))).data.record, record);
  assertProblem(await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(owner)), 409, 'domain_not_proven');
  // Another team's record proves nothing, and another team cannot verify what it has not claimed.
  records.set(record.name, [`${record.value}x`]);
  assertProblem(await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(owner)), 409, 'domain_not_proven');
  assertProblem(await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(other)), 404);
  records.set(record.name, [record.value]);
  const verified = await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(owner));
  assert.equal(verified.status, 200, verified.text);
  assert.ok(verified.data.verified_at);
  assert.deepEqual(asked.at(-1), { name: record.name, type: 'TXT', accept: 'application/dns-json' });
  assertProblem(await prove(other, domain), 409, 'domain_taken');
  assertProblem(await del(platform, `/team/sso/domains/${domain}`, as(owners[2])), 404);
  assert.equal((await del(platform, `/team/sso/domains/${domain}`, as(owner))).status, 204);
  assert.equal((await post(platform, `/team/sso/domains/${domain}/verify`, undefined, as(other))).status, 200);
  assert.equal((await del(platform, `/team/sso/domains/${domain}`, as(other))).status, 204);
});

test('somebody new becomes a member with the first sign-in, uses the team’s plan, and signs in again', async () => {
  const [owner] = owners;
  const domain = await setUp(owner);
  const ada = person(domain, { name: 'Ada', email_verified: undefined });
  const first = await signIn(domain, ada);
  assert.equal(first.status, 201, first.text);
  const { user, tenant, access_token } = first.data;
  assert.deepEqual([tenant.id, user.role, user.email, user.email_verified, user.name], [owner.tenant.id, 'member', ada.email, true, 'Ada']);
  assert.equal((await chat(platform, access_token)).status, 200);
  const second = await signIn(domain, ada);
  assert.deepEqual([second.status, second.data.user.id], [200, user.id]);
  const [identity] = (await get(platform, '/auth/identities', { token: access_token })).data.data;
  assert.equal(identity.provider, 'sso');
  // Members do not see to the single sign-on.
  assertProblem(await get(platform, '/team/sso', { token: access_token }), 403, 'forbidden');
  // There are three seats: one more, and then none.
  const grace = person(domain);
  assert.equal((await signIn(domain, grace)).status, 201);
  assertProblem(await signIn(domain, person(domain)), 409, 'no_seat');
  assert.equal((await members(owner)).length, 3);
  // Who was put out does not come back by signing in.
  assert.equal((await del(platform, `/team/members/${user.id}`, as(owner))).status, 204);
  assertProblem(await signIn(domain, ada), 403, 'forbidden');
  assertProblem(await chat(platform, access_token), 401, 'session_revoked');
});

test('of several who come at once for the last seat one gets it', async () => {
  const owner = owners[1];
  const domain = await setUp(owner, { client_id: 'team-PS256' });
  assert.equal((await signIn(domain, person(domain))).status, 201);
  const answers = await Promise.all(Array.from({ length: 4 }, () => signIn(domain, person(domain))));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
  assert.equal((await members(owner)).length, 3);
});

test('an account that is there moves in when its address is confirmed and it is alone, and else is told what to do', async () => {
  const owner = owners[2];
  const domain = await setUp(owner, { client_id: 'team-ES256' });
  const user = await register(platform, { email: `moves@${domain}` });
  assertProblem(await signIn(domain, person(domain, { email: user.email })), 409, 'email_not_vouched_for');
  const [mail] = await waitForMails(platform, user.email, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(mail) })).status, 204);
  const moved = await signIn(domain, person(domain, { email: user.email }));
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual([moved.data.user.id, moved.data.tenant.id, moved.data.user.role], [user.user.id, owner.tenant.id, 'member']);
  // Their sessions of before have ended, their password is good.
  assertProblem(await chat(platform, user.access_token), 401, 'session_revoked');
  assert.equal((await post(platform, '/auth/login', { email: user.email, password: PASSWORD })).data.tenant.id, owner.tenant.id);

  // A member of another team stays there.
  const invited = await post(platform, '/team/invites', { email: `elsewhere@${domain}`, role: 'member' }, as(owners[3]));
  assert.equal(invited.status, 201);
  const guest = await register(platform, { email: `elsewhere@${domain}` });
  const [invitation] = await waitForMails(platform, guest.email, 'invitation');
  assert.equal((await post(platform, '/team/invites/accept', { token: tokenOf(invitation) }, as(guest))).status, 200);
  assertProblem(await signIn(domain, person(domain, { email: guest.email })), 409, 'leave_team_first');
});

test('a team’s provider speaks of the team’s own addresses, and of nobody else’s account', async () => {
  const owner = owners[3];
  const domain = await setUp(owner, { client_id: 'team-EdDSA' });
  // Honest signatures of EdDSA are taken; of an address elsewhere, or one that the provider denies, nothing is believed.
  const victim = owners[0];
  for (const email of [victim.email, `x@sub.${domain}`, `x@${domain}.example`, 'x@gmail.com', undefined]) {
    assertProblem(await signIn(domain, person(domain, { email })), 401, 'sign_in_refused');
  }
  assertProblem(await signIn(domain, person(domain, { email_verified: false })), 401, 'sign_in_refused');
  // A provider of the team's own making claims the subject of somebody who signs in through another team's.
  const target = freshDomain();
  assert.equal((await del(platform, '/team/sso', as(owners[1]))).status, 204);
  assert.equal((await put('/team/sso', { issuer: forger.issuer, client_id: 'evil', client_secret: 'x' }, owners[1])).status, 200);
  assert.equal((await prove(owners[1], target)).status, 200);
  const browser = new Browser();
  const start = await browser.send(`${platform.url}/auth/sso/start?domain=${target}`);
  assertProblem(await browser.send(forger.signIn(start.location, { sub: 'x', email: victim.email, email_verified: true })), 401, 'sign_in_refused');
  // And claims to be the other team's issuer.
  const again = await browser.send(`${platform.url}/auth/sso/start?domain=${target}`);
  forger.token = ({ claims, sign }) => sign({ ...claims, iss: openid.issuer });
  assertProblem(await browser.send(forger.signIn(again.location, { sub: 'x', email: `x@${target}` })), 401, 'sign_in_refused');
  forger.token = forger.honest;
  // Its answer to the callback of the platform's providers, and back.
  const mixed = await browser.send(`${platform.url}/auth/sso/start?domain=${target}`);
  assertProblem(await browser.send(forger.signIn(mixed.location, { sub: 'x', email: `x@${target}` }, { iss: openid.issuer })), 401, 'sign_in_refused');
  // A discovery document that leads back inside, with a redirect, is not followed.
  forger.instead = (path, response) => path === '/token' && response.writeHead(307, { location: `${openid.issuer}/token` }).end();
  const redirected = await browser.send(`${platform.url}/auth/sso/start?domain=${target}`);
  assertProblem(await browser.send(forger.signIn(redirected.location, { sub: 'x', email: `x@${target}` })), 503, 'dependency_unavailable');
  forger.instead = undefined;
});

test('without a provider, or with a domain nobody has proven, there is no sign-on', async () => {
  assertProblem(await get(platform, `/auth/sso/start?email=x@${freshDomain()}`), 404, 'provider_not_configured');
  assertProblem(await get(platform, '/auth/sso/start?email=x@gmail.com'), 400, 'bad_request');
  assertProblem(await get(platform, '/auth/sso/start'), 400, 'bad_request');
  const owner = owners[1];
  const [{ domain }] = (await get(platform, '/team/sso', as(owner))).data.domains;
  assert.equal((await del(platform, '/team/sso', as(owner))).status, 204);
  assertProblem(await get(platform, `/auth/sso/start?domain=${domain}`), 404, 'provider_not_configured');
});

test('the secret is sealed in the database, and everything is in the audit log', async () => {
  const [owner] = owners;
  let stored;
  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => (stored = database.prepare('SELECT client_secret FROM single_sign_on').all())) });
  assert.ok(stored.length > 0);
  for (const { client_secret } of stored) assert.match(client_secret, /^v1\.1\./);
  const entries = await auditEntries(platform, owner.tenant.id);
  for (const action of ['team.sso_change', 'team.sso_remove', 'team.domain_claim', 'team.domain_verify', 'team.domain_remove', 'team.join', 'account.sign_in']) {
    assert.ok(entries.some((entry) => entry.action === action), action);
  }
  assert.ok(entries.some(({ action, body }) => action === 'account.sign_in' && JSON.stringify(body).includes('"through":"sso"')));
  assert.ok(!JSON.stringify(entries).includes(SECRET));
});

test('nothing panicked, and no secret stands in the log', () => {
  platform.assertNoPanic();
  assert.ok(!platform.log.some((line) => line.includes(SECRET)));
});
