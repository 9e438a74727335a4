// Teams: invitations, joining, roles, leaving, removal; and that nothing of it crosses from one team to another.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, chat, del, freshEmail, get, patch, PASSWORD, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually, quota } from '../harness/usage.mjs';

const platform = await withPlatform();
const LIMITS = { requests: { hard: 1_000 }, tokens: 'unlimited' };

/** Owners of tenants with the plan teams, as billing will make them. */
async function teamOwners(...seats) {
  const owners = [];
  for (const _ of seats) owners.push(await register(platform, { name: 'Olive Owner' }));
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, owners.map(({ user }) => ({ user, plan: 'teams', limits: LIMITS })));
      withDatabase(platform.stateDir, (database) => {
        owners.forEach(({ user }, n) => database.prepare('UPDATE subscriptions SET seats = ? WHERE user_id = ?').run(seats[n], user.id));
      });
    },
  });
  return owners;
}

const [owner, rival, small] = await teamOwners(30, 30, 2);

const invite = (by, email, role = 'member') => post(platform, '/team/invites', { email, role }, { token: by.access_token });

/** The token of the latest mail to an address, once there are so many. */
const invitationToken = (email, count = 1) =>
  eventually(`${count} mails to ${email}`, async () => {
    const { data } = await get(platform, '/__dev/outbox');
    const mails = data.data.filter(({ to, kind }) => to === email && kind === 'invitation');
    return mails.length === count && new URL(mails[0].links[0]).searchParams.get('token');
  }, 15_000);

const accept = (user, token) => post(platform, '/team/invites/accept', { token }, { token: user.access_token });

/** A new user who has joined somebody's team. */
async function joined(by, role = 'member', input = {}) {
  const user = await register(platform, input);
  const invited = await invite(by, user.email, role);
  assert.equal(invited.status, 201, invited.text);
  const answer = await accept(user, await invitationToken(user.email));
  assert.equal(answer.status, 200, answer.text);
  return { before: user, email: user.email, invitation: invited.data, ...answer.data };
}

const login = (email) => post(platform, '/auth/login', { email, password: PASSWORD });
const actions = async (by) => (await get(platform, '/audit?limit=100', { token: by.access_token })).data.data.map(({ action }) => action);

/** Every kind of call is over for a token. */
async function assertDead(token) {
  for (const path of ['/user/profile', '/user/trial-status', '/team', '/team/members', '/audit', '/usage/logs', '/usage/quota?fresh=true']) {
    const answer = await get(platform, path, { token });
    assert.ok(answer.status === 401 || (path === '/user/trial-status' && answer.status === 404), `${path} answers ${answer.status}`);
  }
  assertProblem(await chat(platform, token), 401, 'session_revoked');
}

test('everybody has a team of one', async () => {
  const user = await register(platform, { name: 'Solo' });
  const { status, data } = await get(platform, '/team', { token: user.access_token });
  assert.equal(status, 200);
  assert.deepEqual({ ...data, created_at: undefined }, { id: user.tenant.id, name: 'Solo', plan: 'trial', seats: { used: 1, invited: 0, total: 1 }, role: 'owner', created_at: undefined });
  const { data: members } = await get(platform, '/team/members', { token: user.access_token });
  assert.equal(members.next_cursor, null);
  assert.deepEqual(members.data.map(({ id, email, role }) => ({ id, email, role })), [{ id: user.user.id, email: user.email, role: 'owner' }]);
  assertProblem(await del(platform, `/team/members/${user.user.id}`, { token: user.access_token }), 409, 'last_owner');
  assertProblem(await patch(platform, `/team/members/${user.user.id}`, { role: 'member' }, { token: user.access_token }), 409, 'last_owner');
});

test('a team needs a plan that has seats', async () => {
  const user = await register(platform);
  for (const answer of [await invite(user, freshEmail()), await get(platform, '/admin/users', { token: user.access_token })]) {
    assert.match(assertProblem(answer, 403, 'plan_lacks_feature').upgrade_url, /\/subscription\/plans$/);
  }
});

test('the team gets a name, and it stands in the log', async () => {
  const answer = await patch(platform, '/team', { name: ' Toll & Gate ' }, { token: owner.access_token });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.data.name, 'Toll & Gate');
  assert.equal((await get(platform, '/team', { token: owner.access_token })).data.name, 'Toll & Gate');
  assert.equal((await actions(owner))[0], 'team.change');
  for (const [input, field] of [[{ name: ' ' }, 'name'], [{ name: 'x'.repeat(201) }, 'name'], [{ seats: 5 }, 'seats']]) {
    const problem = assertProblem(await patch(platform, '/team', input, { token: owner.access_token }), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map((error) => error.field), [field]);
  }
});

test('an invitation is mailed, accepted once, and answers tokens of the team', async () => {
  const user = await register(platform, { name: 'Mia Member' });
  assert.equal((await chat(platform, user.access_token)).status, 200);
  const other = await login(user.email);
  const invited = await invite(owner, user.email.toUpperCase(), 'admin');
  assert.equal(invited.status, 201, invited.text);
  assert.deepEqual(Object.keys(invited.data).sort(), ['email', 'expires_at', 'id', 'invited_by', 'role', 'status']);
  assert.deepEqual([invited.data.email, invited.data.role, invited.data.status], [user.email, 'admin', 'pending']);
  assertProblem(await invite(owner, user.email), 409, 'already_invited');
  const token = await invitationToken(user.email);
  assert.ok(!invited.text.includes(token), 'the token is in the mail only');

  // Not for somebody else, not with another token.
  const stranger = await register(platform);
  assertProblem(await accept(stranger, token), 403, 'forbidden');
  assertProblem(await accept(user, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`), 404, 'not_found');
  for (const wrong of ['', 'tgi_', user.access_token]) assertProblem(await accept(user, wrong), 404, 'not_found');

  // Of several at once, one.
  const answers = await Promise.all([accept(user, token), accept(user, token), accept(user, token)]);
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(good.length, 1, answers.map(({ text }) => text).join('\n'));
  const [{ data }] = good;
  assert.deepEqual(Object.keys(data).sort(), ['access_token', 'expires_in', 'refresh_token', 'tenant', 'token_type', 'user']);
  assert.deepEqual([data.user.id, data.user.tenant_id, data.tenant.id, data.user.role, data.user.email_verified], [user.user.id, owner.tenant.id, owner.tenant.id, 'admin', true]);

  // The tokens of the tenant that was left are dead, on every device.
  await assertDead(user.access_token);
  await assertDead(other.data.access_token);
  for (const session of [user, other.data]) assertProblem(await post(platform, '/auth/refresh', { refresh_token: session.refresh_token }), 401);

  // One quota: the team's.
  assert.equal((await chat(platform, data.access_token)).status, 200);
  const meters = await quota(platform, data.access_token);
  assert.equal(meters.requests.limit, 1_000);
  const again = await login(user.email);
  assert.equal(again.data.tenant.id, owner.tenant.id);
  assert.equal((await get(platform, '/user/profile', { token: again.data.access_token })).data.role, 'admin');
  assertProblem(await accept(again.data, token), 410, 'invitation_closed');

  const { data: members } = await get(platform, '/team/members', { token: data.access_token });
  assert.ok(members.data.some(({ id, role }) => id === user.user.id && role === 'admin'));
  const { data: invites } = await get(platform, '/team/invites', { token: owner.access_token });
  assert.equal(invites.data.find(({ id }) => id === invited.data.id).status, 'accepted');
  const log = await actions(owner);
  assert.ok(log.includes('team.invite') && log.includes('team.join'), log.join());
});

test('an invitation that was taken back is dead', async () => {
  const user = await register(platform);
  const { data: invited } = await invite(owner, user.email);
  const token = await invitationToken(user.email);
  assert.equal((await del(platform, `/team/invites/${invited.id}`, { token: owner.access_token })).status, 204);
  assertProblem(await del(platform, `/team/invites/${invited.id}`, { token: owner.access_token }), 410, 'invitation_closed');
  assertProblem(await accept(user, token), 410, 'invitation_closed');
  assert.equal((await get(platform, '/user/profile', { token: user.access_token })).status, 200, 'nothing happened to the account');
  assert.ok((await actions(owner)).includes('team.invite_revoke'));
  // Another can be sent.
  assert.equal((await invite(owner, user.email)).status, 201);
});

test('what is wrong with an invitation is named', async () => {
  for (const [input, fields] of [
    [{ email: 'nobody', role: 'member' }, ['email']],
    [{ email: freshEmail(), role: 'owner' }, ['role']],
    [{ email: 'nobody', role: 'king' }, ['email', 'role']],
    [{ email: freshEmail() }, ['role']],
  ]) {
    const problem = assertProblem(await post(platform, '/team/invites', input, { token: owner.access_token }), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map(({ field }) => field), fields, JSON.stringify(input));
  }
  assertProblem(await invite(owner, owner.email), 409, 'already_invited');
  for (const query of ['limit=0', 'cursor=x']) assertProblem(await get(platform, `/team/invites?${query}`, { token: owner.access_token }), 400, 'bad_request');
});

test('no more are invited than there are seats, however many ask at once', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => invite(small, freshEmail())));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses.filter((status) => status === 201), [201], statuses.join());
  for (const answer of answers.filter(({ status }) => status !== 201)) assertProblem(answer, 409, 'no_seat');
  const { data } = await get(platform, '/team', { token: small.access_token });
  assert.deepEqual(data.seats, { used: 1, invited: 1, total: 2 });
});

test('roles: who may do what, from the next request on', async () => {
  const [admin, member] = [await joined(owner, 'admin'), await joined(owner)];
  const as = (who) => ({ token: who.access_token });
  const role = (who, whom, wanted, more = {}) => patch(platform, `/team/members/${whom.user.id}`, { role: wanted, ...more }, as(who));

  for (const answer of [
    await invite(member, freshEmail()),
    await get(platform, '/team/invites', as(member)),
    await del(platform, `/team/invites/${member.invitation.id}`, as(member)),
    await patch(platform, '/team', { name: 'Mine' }, as(member)),
    await role(member, member, 'admin'),
    await role(member, admin, 'member'),
    await del(platform, `/team/members/${admin.user.id}`, as(member)),
    await get(platform, '/admin/users', as(member)),
    await role(admin, member, 'owner'),
    await role(admin, owner, 'member'),
    await del(platform, `/team/members/${owner.user.id}`, as(admin)),
  ]) {
    assertProblem(answer, 403, 'forbidden');
  }
  for (const [input, field] of [[{ role: 'king' }, 'role'], [{ role: 'admin', transfer: true }, 'transfer'], [{}, 'role']]) {
    const problem = assertProblem(await patch(platform, `/team/members/${member.user.id}`, input, as(owner)), 422, 'invalid_input');
    assert.deepEqual(problem.errors.map((error) => error.field), [field]);
  }

  // Promoted and demoted: the same token, the next request.
  assert.equal((await role(owner, member, 'admin')).data.role, 'admin');
  assert.equal((await get(platform, '/audit', as(member))).status, 200);
  const waiting = await invite(member, freshEmail());
  assert.equal(waiting.status, 201);
  assert.equal((await role(owner, member, 'member')).data.role, 'member');
  assertProblem(await get(platform, '/audit', as(member)), 403, 'forbidden');
  // What a demoted admin had sent is dead.
  const { data: invites } = await get(platform, '/team/invites', as(owner));
  assert.equal(invites.data.find(({ id }) => id === waiting.data.id).status, 'revoked');

  // A second owner, and the first one steps down: the last one cannot.
  assert.equal((await role(owner, admin, 'owner')).data.role, 'owner');
  const both = await Promise.all([role(owner, owner, 'member'), role(admin, admin, 'member')]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409], 'one of two owners at once');
  const [now, was] = both[0].status === 409 ? [owner, admin] : [admin, owner];
  assert.equal((await get(platform, '/team', as(now))).data.role, 'owner');
  assertProblem(await del(platform, `/team/members/${now.user.id}`, as(now)), 409, 'last_owner');
  // Handing over: the other becomes owner, and oneself an admin.
  assert.equal((await role(now, was, 'owner', { transfer: true })).status, 200);
  assert.deepEqual([(await get(platform, '/team', as(now))).data.role, (await get(platform, '/team', as(was))).data.role], ['admin', 'owner']);
  if (was !== owner) assert.equal((await role(was, owner, 'owner', { transfer: true })).status, 200);
  const log = await actions(owner);
  assert.ok(log.includes('team.role_change') && log.includes('team.transfer'), log.join());
  assert.equal((await get(platform, '/audit/verify', as(owner))).data.ok, true);
});

test('who is removed is stopped with the next request, and goes home', async () => {
  const member = await joined(owner);
  const second = (await login(member.email)).data;
  const key = (await post(platform, '/user/api-keys', { name: 'mine', scopes: ['chat', 'usage:read'] }, { token: member.access_token })).data.secret;
  for (const token of [member.access_token, second.access_token, key]) assert.equal((await chat(platform, token)).status, 200);
  const answer = await del(platform, `/team/members/${member.user.id}`, { token: owner.access_token });
  assert.equal(answer.status, 204, answer.text);
  for (const session of [member, second]) {
    await assertDead(session.access_token);
    assertProblem(await post(platform, '/auth/refresh', { refresh_token: session.refresh_token }), 401);
  }
  assertProblem(await chat(platform, key), 401);
  assertProblem(await get(platform, '/usage/logs', { token: key }), 401);
  assertProblem(await del(platform, `/team/members/${member.user.id}`, { token: owner.access_token }), 404, 'not_found');
  assert.ok((await actions(owner)).includes('team.remove'));

  // Home: the tenant of before, with its trial and what was used of it.
  const home = await login(member.email);
  assert.equal(home.status, 200, home.text);
  assert.deepEqual([home.data.tenant.id, home.data.user.role, home.data.user.id], [member.before.tenant.id, 'owner', member.user.id]);
  const trial = await get(platform, '/user/trial-status', { token: home.data.access_token });
  assert.equal(trial.data.status, 'trialing');
  assert.equal((await quota(platform, home.data.access_token)).requests.limit, 120);
  assert.equal((await chat(platform, home.data.access_token)).status, 200);
  // Nothing of the team is to be seen.
  const members = await get(platform, '/team/members', { token: home.data.access_token });
  assert.deepEqual(members.data.data.map(({ id }) => id), [member.user.id]);
});

test('a member leaves, and may come back', async () => {
  const member = await joined(owner);
  assert.equal((await del(platform, `/team/members/${member.user.id}`, { token: member.access_token })).status, 204);
  await assertDead(member.access_token);
  const { data: home } = await login(member.email);
  assert.equal(home.tenant.id, member.before.tenant.id);
  const used = (await quota(platform, home.access_token)).requests.used;
  assert.equal((await chat(platform, home.access_token)).status, 200);
  assert.equal((await invite(owner, member.email)).status, 201);
  const back = await accept(home, await invitationToken(member.email, 2));
  assert.equal(back.status, 200, back.text);
  assert.equal((await chat(platform, back.data.access_token)).status, 200);
  await assertDead(home.access_token);
  // What was used at home is still counted there.
  assert.equal((await del(platform, `/team/members/${member.user.id}`, { token: owner.access_token })).status, 204);
  const { data: again } = await login(member.email);
  await eventually('one more used at home', async () => (await quota(platform, again.access_token)).requests.used === used + 1);
});

test('one belongs to one team', async () => {
  const member = await joined(owner);
  const invited = await invite(rival, member.email);
  assert.equal(invited.status, 201);
  const token = await invitationToken(member.email, 2);
  assertProblem(await accept(member, token), 409, 'leave_team_first');
  assert.equal((await get(platform, '/team', { token: member.access_token })).data.id, owner.tenant.id);
});

test('a member without a home gets a tenant of its own, and no second trial', async () => {
  const member = await joined(owner);
  await platform.restart({ whileStopped: () => withDatabase(platform.stateDir, (database) => database.prepare('UPDATE users SET home_tenant_id = NULL WHERE user_id = ?').run(member.user.id)) });
  assert.equal((await del(platform, `/team/members/${member.user.id}`, { token: owner.access_token })).status, 204);
  const { data } = await login(member.email);
  assert.notEqual(data.tenant.id, owner.tenant.id);
  assert.equal((await get(platform, '/user/trial-status', { token: data.access_token })).data.status, 'expired');
  assertProblem(await chat(platform, data.access_token), 402, 'trial_expired');
});

test("another team's ids lead nowhere", async () => {
  const member = await joined(owner);
  const { data: invited } = await invite(owner, freshEmail());
  const token = rival.access_token;
  for (const answer of [
    await patch(platform, `/team/members/${member.user.id}`, { role: 'admin' }, { token }),
    await del(platform, `/team/members/${member.user.id}`, { token }),
    await patch(platform, `/team/members/${owner.user.id}`, { role: 'owner', transfer: true }, { token }),
    await del(platform, `/team/members/${owner.user.id}`, { token }),
    await del(platform, `/team/invites/${invited.id}`, { token }),
    await del(platform, '/team/members/usr_nobody', { token }),
    await del(platform, '/team/invites/inv_nothing', { token }),
  ]) {
    assertProblem(answer, 404, 'not_found');
  }
  for (const path of ['/team', '/team/members', '/team/invites', '/admin/users', '/audit', `/team/members?cursor=${member.user.id}`, `/team/invites?cursor=${invited.id}`]) {
    const { status, text } = await get(platform, path, { token });
    assert.equal(status, 200, `${path}: ${text}`);
    for (const secret of [owner.tenant.id, owner.user.id, owner.email, member.email, invited.id, invited.email]) assert.ok(!text.includes(secret), `${path} shows ${secret}`);
  }
  assert.equal((await get(platform, '/team', { token: member.access_token })).data.role, 'member', 'nothing happened');
  for (const [method, path] of [['GET', '/team'], ['GET', '/team/members'], ['POST', '/team/invites/accept'], ['GET', '/admin/users']]) {
    const answer = method === 'GET' ? await get(platform, path) : await post(platform, path, { token: 'x' });
    assertProblem(answer, 401, 'unauthorized');
  }
});

test('an admin sees what each of the team has used', async () => {
  const [member, idle] = [await joined(rival), await joined(rival)];
  for (let n = 0; n < 3; n++) assert.equal((await chat(platform, member.access_token)).status, 200);
  const users = await eventually('the usage of three requests', async () => {
    const { data } = await get(platform, '/admin/users', { token: rival.access_token });
    return data.data.find(({ id }) => id === member.user.id)?.usage.requests === 3 && data.data;
  }, 20_000);
  assert.deepEqual(users.find(({ id }) => id === idle.user.id).usage.requests, 0);
  assert.deepEqual(users.map(({ email }) => email).sort(), [rival.email, member.email, idle.email].map((email) => email.toLowerCase()).sort());
  const { data: first } = await get(platform, '/admin/users?limit=2', { token: rival.access_token });
  const { data: rest } = await get(platform, `/admin/users?limit=2&cursor=${first.next_cursor}`, { token: rival.access_token });
  assert.deepEqual([...first.data, ...rest.data].map(({ id }) => id), users.map(({ id }) => id));
  assert.equal(rest.next_cursor, null);
  assert.equal((await get(platform, '/admin/users?from=2020-01-01&to=2020-02-01', { token: rival.access_token })).data.data.every(({ usage }) => usage.requests === 0), true);
  assertProblem(await get(platform, '/admin/users?from=2020-01-01&to=2026-01-01', { token: rival.access_token }), 400, 'bad_request');
});

test('a read takes two statements: the role and the rows', async () => {
  for (const path of ['/team', '/team/members', '/team/invites', '/audit']) {
    const answer = await get(platform, path, { token: owner.access_token });
    const { data } = await get(platform, `/__dev/cost/${answer.headers.get('x-request-id')}`);
    assert.deepEqual([data.d1_statements, data.durable_object_calls], [2, 0], path);
  }
});

test('nothing panicked, and no secret stands in the log', () => {
  platform.assertNoPanic();
  assert.doesNotMatch(platform.log.join('\n'), /tgi_|tgr_|eyJ/);
});
