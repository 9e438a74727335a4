// What calls another server or fills somebody's mailbox has a rate: by who asks, and by whom it reaches. All calls come from this machine,
// which counts as nobody's address; `X-Dev-Address`, listened to locally only, stands for the one the edge would name.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { assertProblem, call, freshEmail, get, PASSWORD, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { mailsTo, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';

const stripe = await startStripe();
const platform = await withPlatform({ env: { ...stripe.env } });
before(() => stripe.pushCatalogue(platform));

const assertSlowed = (answer, atMostSeconds) => {
  const problem = assertProblem(answer, 429, 'rate_limited');
  const seconds = Number(answer.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= atMostSeconds, `${seconds} of ${atMostSeconds}`);
  return problem;
};
const count = (answers) => answers.reduce((sums, { status }) => ({ ...sums, [status]: (sums[status] ?? 0) + 1 }), {});

async function owners(number) {
  const made = [];
  for (let n = 0; n < number; n++) made.push(await register(platform, { name: n === 0 ? 'Locked! Go to https://evil.example/now, or mail x@evil.example' : 'Olive' }));
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, made.map(({ user }) => ({ user, plan: 'teams', limits: { requests: { hard: 1_000 }, tokens: 'unlimited' } })));
      withDatabase(platform.stateDir, (database) => {
        for (const { user } of made) database.prepare('UPDATE subscriptions SET seats = 200 WHERE user_id = ?').run(user.id);
      });
    },
  });
  return made;
}

test('a hundred checkouts that lead nowhere are thirty, and another tenant buys meanwhile', async () => {
  const [eve, ada] = [await register(platform), await register(platform)];
  const checkout = (who, plan) => post(platform, '/subscription/checkout', { plan }, { token: who.access_token });
  const before = stripe.requests.length;
  const answers = [];
  for (let n = 0; n < 100; n += 10) answers.push(...(await Promise.all(Array.from({ length: 10 }, (_, k) => checkout(eve, (n + k) % 2 ? 'pro' : 'plus')))));
  const { 429: refused = 0, ...rest } = count(answers);
  // One is forgotten each minute, and the hundred take seconds.
  assert.ok(refused >= 68, JSON.stringify({ ...rest, 429: refused }));
  assertSlowed(answers.find(({ status }) => status === 429), 60);
  const calls = stripe.requests.length - before;
  assert.ok(calls <= 32 * 4, `${calls} calls of Stripe`);
  assert.equal((await checkout(ada, 'pro')).status, 200);
  // The same counter, whichever address is used; what only reads here goes on.
  assertSlowed(await post(platform, '/user/upgrade-subscription', { plan: 'pro' }, { token: eve.access_token }), 60);
  assert.equal((await get(platform, '/subscription', { token: eve.access_token })).status, 200);
});

test('sixty invitations to one stranger are five mails, from whichever team and in whichever spelling', async () => {
  const teams = await owners(3);
  const stranger = freshEmail();
  const answers = [];
  for (let n = 0; n < 60; n++) {
    const team = teams[n % 3];
    const answer = await post(platform, '/team/invites', { email: n % 2 ? stranger.toUpperCase() : stranger, role: 'member' }, { token: team.access_token });
    answers.push(answer);
    // Taken back at once, so that the next is none of the same.
    if (answer.status === 201) assert.equal((await call(platform, 'DELETE', `/team/invites/${answer.data.id}`, { token: team.access_token })).status, 204);
  }
  assert.deepEqual(count(answers), { 201: 5, 429: 55 });
  assertSlowed(answers.at(-1), 3_600);
  const mails = await waitForMails(platform, stranger, 'invitation', 5);
  assert.equal(mails.length, 5);
  for (const { subject, text, links } of mails) {
    assert.match(subject, /^You are invited to a team: /);
    assert.doesNotMatch(`${subject}\n${text}`, /evil\.example|https?:\/\/evil|x@evil/);
    assert.deepEqual(links.map((link) => new URL(link).origin), [new URL(platform.url).origin]);
  }
  // Others are invited all the while.
  assert.equal((await post(platform, '/team/invites', { email: freshEmail(), role: 'member' }, { token: teams[0].access_token })).status, 201);
});

test('accounts by the hundred from one network, and from one block, are slowed down', async () => {
  const from = (address) => post(platform, '/auth/register', { email: freshEmail(), password: PASSWORD }, { headers: { 'x-dev-address': address } });
  const one = [];
  for (let n = 0; n < 40; n++) one.push(await from('198.51.100.7'));
  const { 201: made, 429: refused } = count(one);
  assert.ok(made >= 30 && made <= 31 && refused >= 9, JSON.stringify(count(one)));
  assertSlowed(one.at(-1), 120);
  const many = [];
  for (let n = 0; n < 110; n += 10) many.push(...(await Promise.all(Array.from({ length: 10 }, (_, k) => from(`198.51.100.${20 + n + k}`)))));
  const { 201: others } = count(many);
  assert.ok(30 + others >= 100 && 30 + others <= 125, JSON.stringify(count(many)));
  assert.equal((await from('203.0.113.1')).status, 201, 'the block next door');
});

test('a mailbox is not filled by resets, and the answers do not tell whether it has an account', async () => {
  const user = await register(platform);
  for (const email of [user.email, freshEmail()]) {
    const answers = [];
    for (let n = 0; n < 15; n++) answers.push(await post(platform, '/auth/forgot-password', { email: n % 2 ? email.toUpperCase() : email }));
    assert.deepEqual(count(answers), { 204: 11, 429: 4 }, email);
    assertSlowed(answers.at(-1), 600);
  }
  await waitForMails(platform, user.email, 'reset_password', 11);
  assert.equal((await mailsTo(platform, user.email, 'reset_password')).length, 11);
});

test('nothing panicked', () => platform.assertNoPanic());
