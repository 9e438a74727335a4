// Who comes to the older platform, what each has there, and what each is asked for afterwards.
//
// An entry: `comes` brings somebody about, through calls alone; `asks` adds answers to those that everybody is asked for;
// `changes` are the answers that may differ, each with its reason; `goesOn` is what they do next in the new platform. `early`
// came eight days ago. A change that is expected need not be there: the older checkout may have the rule already.
import assert from 'node:assert/strict';
import { switchOn } from '../harness/authenticator.mjs';
import { Browser } from '../harness/browser.mjs';
import { call, chat, del, freshEmail, get, patch, post, register } from '../harness/http.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { PATIENCE_MS } from '../harness/subscriptions.mjs';
import { openai } from '../harness/upstream.mjs';
import { eventually, logs, quota, settledQuota } from '../harness/usage.mjs';

const DAY_SECONDS = 86_400;
const messages = [{ role: 'user', content: 'Where is the toll paid?' }];
const as = ({ access_token: token }) => ({ token });
/** How a call ended, in two words. */
const told = ({ status, data }) => (status < 300 ? String(status) : `${status} ${data?.code ?? data?.error?.code}`);
const ask = (at, token, { headers, ...more } = {}) => chat(at.platform, token, { model: 'openai/small', messages, max_tokens: 50, headers, ...more });

/** The models of the provider that stands in. */
export function standIns(upstream) {
  const counting = (tokens) => ({ json }) => json(200, openai.completion('At the gate.', { prompt_tokens: 10, completion_tokens: tokens - 10, total_tokens: tokens }));
  upstream.answers('small', counting(15));
  upstream.answers('large', counting(4_000));
  upstream.answers('all-of-a-trial', counting(50_000));
  upstream.answers('never-ends', ({ stream }) => stream([openai.text('At the ')], { end: 'hang' }));
}

/** What everybody is asked for that uses nothing but sign-ins up: read of everybody before anybody uses anything. */
export async function reads(at, who) {
  const { platform } = at;
  const seen = {};
  seen['the access token of before'] = told(await get(platform, '/user/profile', as(who)));
  const refreshed = await post(platform, '/auth/refresh', { refresh_token: who.refresh_token });
  seen['the refresh token of before'] = told(refreshed);
  const signedIn = who.password === undefined ? refreshed : await signIn(at, who, { totp: who.app?.code(Math.floor(at.aheadSeconds / 30)) });
  seen['sign-in'] = told(signedIn);
  who.now = signedIn.data.access_token ?? refreshed.data.access_token;
  if (!who.now) return seen;
  const token = who.now;
  const read = async (what, path, pick = (data) => data) => {
    const answer = await get(platform, path, { token });
    seen[what] = answer.status === 200 ? pick(answer.data) : told(answer);
  };
  await read('the account', '/user/profile');
  await read('the plan', `/subscription?product=${who.product ?? 'agent'}`);
  await read('the trial', '/user/trial-status', ({ status, trial_ends_at }) => ({ status, trial_ends_at }));
  for (const [meter, standing] of Object.entries(await quota(platform, token))) {
    for (const [name, value] of Object.entries(standing)) seen[`${meter}: ${name}`] = value;
  }
  await read('the ledger', '/usage/ledger/verify', ({ ok }) => ok);
  await read('the audit log', '/audit/verify', ({ ok }) => ok);
  const rows = await logs(platform, token);
  const sum = (of) => rows.reduce((all, row) => all + (of(row) ?? 0), 0);
  seen['the usage log'] = { rows: rows.length, tokens: sum((row) => row.tokens), microusd: sum((row) => row.cost_microusd) };
  await read('the API keys', '/user/api-keys', ({ data }) => data.map(({ last_used_at: _, ...key }) => key));
  await read('the second factor', '/auth/totp');
  await read('linked providers', '/auth/identities');
  await read('the settings', '/user/config');
  await read('the mails that are wanted', '/user/notifications');
  await read('the team', '/team');
  await read('the team’s members', '/team/members');
  return seen;
}

/** What everybody is asked for that uses their plan. */
export async function uses(at, who) {
  const seen = {};
  if (!who.now) return seen;
  for (const [name, { secret }] of Object.entries(who.keys ?? {})) seen[`the key “${name}”`] = told(await ask(at, secret));
  seen['a model that is free'] = told(await chat(at.platform, who.now));
  seen['a model that costs'] = told(await ask(at, who.now));
  return seen;
}

// -- what people do

const signIn = ({ platform }, { email, password, product }, more = {}) => post(platform, '/auth/login', { email, password, product, ...more });

const mailed = async (at, who, kind) => tokenOf((await waitForMails(at.platform, who.email, kind))[0]);
async function confirm(at, who, token) {
  const answer = await post(at.platform, '/auth/verify-email', { token: token ?? (await mailed(at, who, 'verify_email')) }, as(who));
  assert.equal(answer.status, 204, answer.text);
  return who;
}
const comeConfirmed = async (at, input) => confirm(at, await register(at.platform, input));

async function makeKey(at, who, name, input = {}) {
  const made = await post(at.platform, '/user/api-keys', { name, scopes: ['chat'], ...input }, as(who));
  assert.equal(made.status, 201, made.text);
  who.keys = { ...who.keys, [name]: made.data };
  return made.data;
}

async function use(at, who, models) {
  const before = (await logs(at.platform, who.access_token)).length;
  for (let n = 0; n < models.length; n += 10) {
    const answers = await Promise.all(models.slice(n, n + 10).map((model) => ask(at, who.access_token, { model })));
    for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  }
  await eventually('all of it is settled', async () => (await logs(at.platform, who.access_token)).length === before + models.length);
  return who;
}

/** Buys a plan, and answers once it is active. */
async function buy(at, who, choice) {
  const checkout = await post(at.platform, '/subscription/checkout', choice, as(who));
  assert.equal(checkout.status, 200, checkout.text);
  who.subscription = await at.stripe.pay(checkout.data.checkout_url);
  await at.told();
  await eventually(`${choice.plan} is active`, async () => {
    const { plan, status } = await at.held(who, choice.product);
    return plan === choice.plan && status === 'active';
  }, PATIENCE_MS);
  return who;
}

async function changedAtStripe(at, who, change, status) {
  await at.stripe.overlay(who.subscription, change);
  await at.told();
  await at.becomes(who, `it is ${status}`, (held) => held.status === status);
  return who;
}

async function invite(at, owner, role) {
  const guest = await register(at.platform);
  const invited = await post(at.platform, '/team/invites', { email: guest.email, role }, as(owner));
  assert.equal(invited.status, 201, invited.text);
  return { ...guest, invitation: await mailed(at, guest, 'invitation') };
}
async function accept(at, guest, token = guest.access_token) {
  const joined = await post(at.platform, '/team/invites/accept', { token: guest.invitation }, { token });
  assert.equal(joined.status, 200, joined.text);
  return { ...guest, ...joined.data };
}

const atGitHub = async (at, person) => {
  const browser = new Browser();
  const begun = await browser.send(`${at.platform.url}/auth/oauth/github/start`);
  return browser.send(at.github.signIn(begun.location, person));
};

/** Somebody with a token of now. */
const now = async (at, who) => {
  const signedIn = await signIn(at, who);
  assert.equal(signedIn.status, 200, signedIn.text);
  return { ...who, ...signedIn.data };
};
const works = async (at, who) => eventually('models answer', async () => (await ask(at, who.access_token)).status === 200, 15_000);

/** Begins an answer that never ends; answers how it began. */
async function beginEndless(at, token) {
  const body = JSON.stringify({ model: 'openai/never-ends', messages, max_tokens: 500, stream: true });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'idempotency-key': 'under-way' };
  const answer = await fetch(`${at.platform.url}/v1/chat/completions`, { method: 'POST', headers, body });
  if (answer.status !== 200) return told({ status: answer.status, data: await answer.json() });
  answer.body.getReader().read().catch(() => {});
  return '200';
}
/** An answer that is under way when the platform ends. */
async function leaveUnderWay(at, who) {
  assert.equal(await beginEndless(at, who.access_token), '200');
  return who;
}

/** @type {{name: string, early?: boolean, comes: Function, asks?: Function, changes?: object[], goesOn?: Function, then?: string}[]} */
export const people = [
  {
    name: 'a trial of a confirmed address',
    async comes(at) {
      const who = await comeConfirmed(at, { name: 'Ada Łovelace' });
      assert.equal((await call(at.platform, 'PUT', '/user/config', { token: who.access_token, body: { theme: 'dark', nested: [1, 'ü'] } })).status, 200);
      assert.equal((await call(at.platform, 'PUT', '/user/notifications', { token: who.access_token, body: { reminders: false } })).status, 200);
      return who;
    },
  },
  {
    name: 'a trial that is used in part, with a page of its log open',
    async comes(at) {
      const who = await use(at, await comeConfirmed(at), ['openai/large', 'openai/large', 'openai/small', 'tollgate/extractive']);
      who.page = await get(at.platform, '/usage/logs?limit=2', as(who));
      return who;
    },
    async asks(at, who) {
      const next = await get(at.platform, `/usage/logs?limit=2&cursor=${who.page.data.next_cursor}`, { token: who.now });
      return { 'the next page': [told(next), next.data.data?.map(({ request_id }) => request_id)] };
    },
    then: 'buys pro, and what was used of the trial is not counted',
    async goesOn(at, who) {
      const payer = await buy(at, await now(at, who), { plan: 'pro' });
      assert.equal((await quota(at.platform, payer.access_token)).tokens.used, 0);
      await works(at, payer);
    },
  },
  { name: 'a trial that is used up', comes: async (at) => use(at, await comeConfirmed(at), ['openai/all-of-a-trial']) },
  { name: 'a trial of an address that nobody confirmed, never used', comes: (at) => register(at.platform) },
  {
    name: 'a trial of an address that nobody confirmed, with a key',
    async comes(at) {
      const who = await register(at.platform);
      await makeKey(at, who, 'made before');
      return { ...(await use(at, who, ['openai/large'])), link: await mailed(at, who, 'verify_email') };
    },
    then: 'confirms by the mail of before, signed in: keeps trial, key and session',
    async goesOn(at, who) {
      const before = (await get(at.platform, '/user/trial-status', { token: (await now(at, who)).access_token })).data;
      const signedIn = await confirm(at, await now(at, who), who.link);
      assert.equal((await ask(at, who.keys['made before'].secret)).status, 200);
      assert.deepEqual((await get(at.platform, '/user/trial-status', as(signedIn))).data, before);
      assert.ok((await quota(at.platform, signedIn.access_token)).tokens.used >= 4_000);
      await works(at, signedIn);
    },
  },
  { name: 'a trial that is over', early: true, comes: (at) => comeConfirmed(at) },
  {
    name: 'somebody whose account was deleted, and who came back',
    async comes(at) {
      const first = await comeConfirmed(at);
      assert.ok((await call(at.platform, 'DELETE', '/user', { token: first.access_token, body: { password: first.password } })).status < 300);
      const body = { email: first.email, password: first.password };
      const { data } = await eventually('the address is free', async () => {
        const answer = await post(at.platform, '/auth/register', body);
        return answer.status === 201 && answer;
      }, 30_000);
      return { ...data, ...body };
    },
  },
  {
    name: 'pro, of an address that nobody confirmed, with a key and a ledger of some length',
    async comes(at) {
      const who = await buy(at, await register(at.platform), { plan: 'pro' });
      await makeKey(at, who, 'in use');
      // Long enough for a checkpoint.
      return use(at, who, ['openai/large', ...Array.from({ length: 150 }, () => 'openai/small')]);
    },
    then: 'upgrades to a team',
    async goesOn(at, who) {
      const owner = await now(at, who);
      const more = await post(at.platform, '/subscription/checkout', { plan: 'teams', seats: 2 }, as(owner));
      assert.deepEqual([more.status, more.data?.checkout_url], [200, null], more.text);
      await at.told();
      await at.becomes(owner, 'it is a team', ({ plan, seats, status }) => plan === 'teams' && seats === 2 && status === 'active');
      await works(at, owner);
    },
  },
  {
    name: 'plus by the year, cancelled for the end of the period',
    async comes(at) {
      const who = await buy(at, await comeConfirmed(at), { plan: 'plus', interval: 'year' });
      assert.equal((await patch(at.platform, '/subscription', { cancel_at_period_end: true }, as(who))).status, 200);
      await at.told();
      return use(at, who, ['openai/small']);
    },
    then: 'thinks again, and it goes on',
    async goesOn(at, who) {
      const kept = await patch(at.platform, '/subscription', { cancel_at_period_end: false }, as(await now(at, who)));
      assert.deepEqual([kept.status, kept.data?.cancel_at_period_end], [200, false], kept.text);
    },
  },
  {
    name: 'a payment that failed today',
    async comes(at) {
      const who = await buy(at, await comeConfirmed(at), { plan: 'pro' });
      who.invoice = await at.stripe.failPayment(who.subscription);
      await at.told();
      await at.becomes(who, 'the payment is missing', ({ status }) => status === 'past_due');
      return use(at, who, ['openai/small']);
    },
    then: 'pays, and is active',
    async goesOn(at, who) {
      await at.stripe.recover(who.subscription, who.invoice);
      await at.told();
      const payer = await now(at, who);
      await at.becomes(payer, 'it is paid', ({ status }) => status === 'active');
      await works(at, payer);
    },
  },
  {
    name: 'a payment that failed ten days ago',
    async comes(at) {
      const who = await buy(at, await comeConfirmed(at), { plan: 'pro' });
      const invoice = { id: 'in_late', object: 'invoice', status: 'open', created: Math.floor(Date.now() / 1000) - 10 * DAY_SECONDS };
      return changedAtStripe(at, who, { status: 'past_due', latest_invoice: invoice }, 'unpaid');
    },
    then: 'pays after all, and is active',
    async goesOn(at, who) {
      await at.stripe.overlay(who.subscription, { status: 'active', latest_invoice: null });
      await at.told();
      const payer = await now(at, who);
      await at.becomes(payer, 'it is paid', ({ status }) => status === 'active');
      await works(at, payer);
    },
  },
  {
    name: 'a subscription that is paused',
    comes: async (at) => changedAtStripe(at, await buy(at, await comeConfirmed(at), { plan: 'plus' }), { status: 'paused' }, 'paused'),
    then: 'is resumed',
    async goesOn(at, who) {
      await at.stripe.overlay(who.subscription, { status: 'active' });
      await at.told();
      const payer = await now(at, who);
      await at.becomes(payer, 'it runs again', ({ status }) => status === 'active');
      await works(at, payer);
    },
  },
  {
    name: 'a subscription that was ended',
    async comes(at) {
      const who = await buy(at, await comeConfirmed(at), { plan: 'pro' });
      await at.stripe.cancelNow(who.subscription);
      await at.told();
      await at.becomes(who, 'it is over', ({ status }) => status === 'cancelled');
      return who;
    },
    then: 'buys again, as the customer of before',
    async goesOn(at, who) {
      const payer = await buy(at, await now(at, who), { plan: 'pro' });
      assert.equal((await at.stripe.sdk.customers.list({ email: who.email })).data.length, 1);
      await works(at, payer);
    },
  },
  {
    name: 'a checkout that is open',
    async comes(at) {
      const who = await comeConfirmed(at);
      const { data } = await post(at.platform, '/subscription/checkout', { plan: 'pro' }, as(who));
      return { ...who, checkout: data.checkout_url };
    },
    then: 'pays at the page of before',
    async goesOn(at, who) {
      await at.stripe.pay(who.checkout);
      await at.told();
      const payer = await now(at, who);
      await at.becomes(payer, 'pro is active', ({ plan, status }) => plan === 'pro' && status === 'active');
      await works(at, payer);
    },
  },
  {
    name: 'a trial of another product, begun at the checkout with a card',
    async comes(at) {
      const who = await comeConfirmed(at);
      const { data } = await post(at.platform, '/subscription/checkout', { product: 'chat', plan: 'pro' }, as(who));
      who.subscription = await at.stripe.pay(data.checkout_url, { card: '5555555555554444' });
      await at.told();
      await eventually('the trial runs', async () => (await at.held(who, 'chat')).status === 'trialing', PATIENCE_MS);
      return who;
    },
    asks: async (at, { now: token }) => ({ 'the other product': (await get(at.platform, '/subscription?product=chat', { token })).data }),
    then: 'is charged at its end, and has pro',
    async goesOn(at, who) {
      await at.stripe.endTrial(who.subscription);
      await at.told();
      const payer = await now(at, who);
      await eventually('pro is active', async () => {
        const { plan, status } = await at.held(payer, 'chat');
        return plan === 'pro' && status === 'active';
      }, PATIENCE_MS);
    },
  },
  {
    name: 'enterprise, whose limits are soft',
    async comes(at) {
      const who = await buy(at, await comeConfirmed(at, { product: 'chat' }), { product: 'chat', plan: 'enterprise' });
      return use(at, { ...who, product: 'chat' }, ['openai/large']);
    },
  },
  ...team(),
  {
    name: 'keys of every kind',
    async comes(at) {
      const who = await comeConfirmed(at);
      await makeKey(at, who, 'plain');
      await makeKey(at, who, 'reads alone', { scopes: ['usage:read'] });
      await makeKey(at, who, 'bounded', { scopes: ['chat', 'account:read'], requests_per_minute: 600, expires_at: new Date(Date.now() + 300 * DAY_SECONDS * 1_000).toISOString() });
      const revoked = await makeKey(at, who, 'revoked');
      assert.equal((await del(at.platform, `/user/api-keys/${revoked.id}`, as(who))).status, 204);
      for (const [name, overlap_seconds] of [['replaced, good for a week', 604_800], ['replaced at once', 0]]) {
        const old = await makeKey(at, who, name);
        const { data } = await post(at.platform, `/user/api-keys/${old.id}/rotate`, { overlap_seconds }, as(who));
        who.keys[`in the place of “${name}”`] = data;
      }
      for (const name of ['plain', 'bounded']) await ask(at, who.keys[name].secret);
      await settledQuota(at.platform, who.access_token);
      return who;
    },
    async asks(at, who) {
      const path = '/usage/quota';
      return {
        'usage with the key that reads': told(await get(at.platform, path, { token: who.keys['reads alone'].secret })),
        'usage with one that may not': told(await get(at.platform, path, { token: who.keys.plain.secret })),
        'usage with the one that was revoked': told(await get(at.platform, path, { token: who.keys.revoked.secret })),
      };
    },
  },
  {
    name: 'a second factor',
    async comes(at) {
      const who = await comeConfirmed(at);
      const { app, recoveryCodes } = await switchOn(at.platform, who);
      return { ...who, app, recoveryCodes };
    },
    async asks(at, { recoveryCodes: [code], ...who }) {
      const login = (totp) => signIn(at, who, { totp });
      return { 'sign-in without a code': told(await login()), 'sign-in with a recovery code': told(await login(code)), 'the same code again': told(await login(code)) };
    },
  },
  {
    name: 'several sessions, one signed out, one refreshed',
    async comes(at) {
      const who = await comeConfirmed(at);
      const login = async () => (await signIn(at, who)).data;
      const [out, other] = [await login(), await login()];
      assert.ok((await post(at.platform, '/auth/logout', { refresh_token: out.refresh_token })).status < 300);
      const { data } = await post(at.platform, '/auth/refresh', { refresh_token: who.refresh_token });
      return { ...who, ...data, out, other };
    },
    asks: async (at, { out, other }) => ({
      'the token that was signed out': told(await get(at.platform, '/user/profile', as(out))),
      'its refresh token': told(await post(at.platform, '/auth/refresh', { refresh_token: out.refresh_token })),
      'another session’s refresh token': told(await post(at.platform, '/auth/refresh', { refresh_token: other.refresh_token })),
    }),
  },
  {
    name: 'an answer that was under way when the platform ended',
    comes: async (at) => leaveUnderWay(at, await comeConfirmed(at)),
    // What was held counts once the hold is over, as the older platform has set it.
    asks: async (at, { now: token }) => ({ 'the same request again': await beginEndless(at, token) }),
  },
  {
    name: 'idempotency keys',
    async comes(at) {
      const who = await comeConfirmed(at);
      who.first = await ask(at, who.access_token, { headers: { 'idempotency-key': 'one' } });
      assert.equal(who.first.status, 200);
      who.made = await post(at.platform, '/user/api-keys', { name: 'once', scopes: ['chat'] }, { ...as(who), headers: { 'idempotency-key': 'two' } });
      assert.equal(who.made.status, 201);
      await settledQuota(at.platform, who.access_token);
      return who;
    },
    async asks(at, who) {
      const before = (await settledQuota(at.platform, who.now)).requests.used;
      const [again, other] = [await ask(at, who.now, { headers: { 'idempotency-key': 'one' } }), await ask(at, who.now, { headers: { 'idempotency-key': 'one' }, max_tokens: 51 })];
      const made = await post(at.platform, '/user/api-keys', { name: 'once', scopes: ['chat'] }, { token: who.now, headers: { 'idempotency-key': 'two' } });
      return {
        'the same request again': [told(again), again.text === who.first.text],
        'another with the same key': told(other),
        'what they were charged': (await settledQuota(at.platform, who.now)).requests.used - before,
        'the same call again': [told(made), made.data.id === who.made.data.id],
      };
    },
  },
  {
    name: 'a password with letters in two parts',
    comes: (at) => comeConfirmed(at, { password: 'ein längeres Geheimnis für École'.normalize('NFD') }),
    asks: async (at, who) => ({ 'sign-in with letters in one part': told(await signIn(at, { ...who, password: who.password.normalize('NFC') })) }),
    changes: [{ what: 'sign-in with letters in one part', why: 'a letter is the same in one part or two', fits: (was, is) => /^401/.test(was) && is === '200' }],
  },
  { name: 'a password with letters in one part', comes: (at) => comeConfirmed(at, { password: '密码很长很长 – für Überwälder 🚪' }) },
  ...mailbox(),
  {
    name: 'an invited person without an account',
    async comes(at) {
      const owner = await buy(at, await comeConfirmed(at), { plan: 'teams', seats: 3 });
      const email = freshEmail();
      assert.equal((await post(at.platform, '/team/invites', { email, role: 'member' }, as(owner))).status, 201);
      return { ...owner, guest: email, invitation: await mailed(at, { email }, 'invitation') };
    },
    asks: async (at, { now: token }) => ({ 'what is open': (await get(at.platform, '/team/invites', { token })).data.data }),
    then: 'registers, and joins by the mail of before',
    async goesOn(at, { guest: email, invitation }) {
      const joined = await accept(at, { ...(await register(at.platform, { email })), invitation });
      assert.equal(joined.user.role, 'member');
      await works(at, joined);
    },
  },
  {
    name: 'a link to set another password, mailed before',
    async comes(at) {
      const who = await comeConfirmed(at);
      await makeKey(at, who, 'made before');
      assert.equal((await post(at.platform, '/auth/forgot-password', { email: who.email })).status, 204);
      return { ...who, reset: await mailed(at, who, 'reset_password') };
    },
    then: 'sets it, and keeps the key',
    async goesOn(at, who) {
      const password = 'another long and quiet password';
      assert.equal((await post(at.platform, '/auth/reset-password', { token: who.reset, password })).status, 204);
      await now(at, { ...who, password });
      assert.equal((await ask(at, who.keys['made before'].secret)).status, 200);
    },
  },
  {
    name: 'a link to confirm an address, mailed before, opened by whoever has the mail alone',
    async comes(at) {
      const who = await register(at.platform);
      await makeKey(at, who, 'made before');
      return { ...who, link: await mailed(at, who, 'verify_email') };
    },
    then: 'confirms it: keys and sessions of before end (issue 11, line 14), the trial goes on',
    async goesOn(at, who) {
      assert.equal((await post(at.platform, '/auth/verify-email', { token: who.link })).status, 204);
      assert.equal((await ask(at, who.keys['made before'].secret)).status, 401);
      const owner = await now(at, who);
      assert.equal((await get(at.platform, '/user/trial-status', as(owner))).data.status, 'trialing');
      await works(at, owner);
    },
  },
  {
    name: 'an account of GitHub’s',
    async comes(at) {
      const github = { id: 583_231, login: 'octocat', emails: [{ email: freshEmail(), primary: true, verified: true }] };
      const made = await atGitHub(at, github);
      assert.equal(made.status, 201, made.text);
      return { ...made.data, email: made.data.user.email, github };
    },
    async asks(at, who) {
      const again = await atGitHub(at, who.github);
      return { 'sign-in at GitHub': [told(again), again.data?.user?.id === who.user.id] };
    },
  },
];

/** A team: an owner, a member and an admin who both have used the pool (and hold leases of it), one seat free, one asked. */
function team() {
  let shared;
  return [
    {
      name: 'a team’s owner',
      async comes(at) {
        const owner = await buy(at, await comeConfirmed(at, { name: 'Owner' }), { plan: 'teams', seats: 4 });
        shared = { owner };
        for (const role of ['member', 'admin']) {
          shared[role] = await accept(at, await invite(at, owner, role));
          await use(at, shared[role], ['openai/large', 'openai/small']);
        }
        await makeKey(at, shared.member, 'a member’s');
        await leaveUnderWay(at, shared.admin);
        shared.asked = await invite(at, owner, 'member');
        return use(at, owner, ['openai/small']);
      },
      asks: async (at, { now: token }) => ({ invitations: (await get(at.platform, '/team/invites', { token })).data.data }),
      then: 'buys a fifth seat, and the pool counts on',
      async goesOn(at, who) {
        const owner = await now(at, who);
        const before = (await quota(at.platform, owner.access_token)).tokens.used;
        assert.ok(before >= 8_000, `${before}`);
        const more = await patch(at.platform, '/subscription', { seats: 5 }, as(owner));
        assert.deepEqual([more.status, more.data?.seats], [200, 5], more.text);
        assert.ok((await quota(at.platform, owner.access_token)).tokens.used >= before);
      },
    },
    { name: 'a team’s member, with a key', comes: async () => shared.member },
    { name: 'a team’s admin, with an answer under way', comes: async () => shared.admin },
    {
      name: 'an invited person with an account',
      comes: async () => shared.asked,
      then: 'joins by the mail of before',
      async goesOn(at, who) {
        const guest = await now(at, who);
        await works(at, await accept(at, guest));
      },
    },
  ];
}

/** Two accounts of one mailbox, in two spellings, as they could be made once. */
function mailbox() {
  const local = `josé-${freshEmail().slice(5, 13)}`;
  const at = (form) => `${local.normalize(form)}@bücher.example`;
  return [
    {
      name: 'an address with letters in one part',
      comes: ({ platform }) => register(platform, { email: at('NFC'), password: 'the first one of two passwords' }),
      asks: async (world, who) => ({ 'sign-in with the domain in ASCII': told(await signIn(world, { ...who, email: at('NFC').replace('bücher', 'xn--bcher-kva') })) }),
      changes: [{ what: 'sign-in with the domain in ASCII', why: 'one mailbox is one account', fits: (was, is) => /^401/.test(was) && is === '200' }],
    },
    { name: 'the same with letters in two parts', comes: ({ platform }) => other(platform, at) },
  ];
}
async function other(platform, at) {
  const input = { email: at('NFD'), password: 'the other one of two passwords' };
  const answer = await post(platform, '/auth/register', input);
  // Where one mailbox is one account already there is the first alone.
  return answer.status === 201 ? { ...answer.data, ...input } : register(platform);
}
