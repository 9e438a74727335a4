// Guessing passwords is slow, and nobody is locked out by it. All calls come from this machine, which counts as nobody's
// address: `X-Dev-Address`, listened to locally only, stands for the one the edge would name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertProblem, freshEmail, PASSWORD, post, register } from '../harness/http.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';

const platform = await withPlatform();
const WRONG = 'a wrong and long password';
const FREE_OF_ADDRESS = 10;
const FREE_OF_STRANGERS = 30;

let networks = 0;
const freshAddress = () => `10.${++networks >> 8}.${networks & 255}.1`;
const headersOf = (address, cookie) => ({ 'x-dev-address': address, ...(cookie ? { cookie } : {}) });
const login = (email, password, address, cookie) => post(platform, '/auth/login', { email, password }, { headers: headersOf(address, cookie) });
const cookieOf = ({ headers }) => headers.get('set-cookie')?.split(';')[0];

function assertSlowed(answer) {
  const problem = assertProblem(answer, 429, 'rate_limited');
  const seconds = Number(answer.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 900, `${seconds}`);
  return { ...problem, request_id: undefined };
}

/** Fails to sign in until it is slowed down; answers how often it was let through. */
async function failUntilSlowed(attempt, most) {
  for (let n = 0; n <= most; n++) {
    const answer = await attempt(n);
    if (answer.status === 429) return { admitted: n, answer };
    assertProblem(answer, 401, 'invalid_credentials');
  }
  throw new Error(`${most} attempts were not slowed down`);
}

test('one address guesses a few times, at any account, and then waits', async () => {
  const user = await register(platform);
  for (const email of [() => user.email, freshEmail, () => 'not an address']) {
    const address = freshAddress();
    const { admitted, answer } = await failUntilSlowed(() => login(email(), WRONG, address), 20);
    // The last free one begins no wait, the one after it does.
    assert.equal(admitted, FREE_OF_ADDRESS + 1);
    assertSlowed(answer);
    // The right password waits as well, the address next door does not.
    assertSlowed(await login(user.email, PASSWORD, address));
    assert.equal((await login(user.email, PASSWORD, freshAddress())).status, 200);
    await sleep(Number(answer.headers.get('retry-after')) * 1000);
    assert.equal((await login(user.email, PASSWORD, address)).status, 200);
  }
});

test('a customer of IPv6 is one address', async () => {
  const { admitted } = await failUntilSlowed((n) => login(freshEmail(), WRONG, `2001:db8:7:7::${n + 1}`), 20);
  assert.equal(admitted, FREE_OF_ADDRESS + 1);
});

test('many addresses together are slowed down at one account, and its own device is not', async () => {
  const user = await register(platform);
  const owner = await login(user.email, PASSWORD, freshAddress());
  const cookie = cookieOf(owner);
  assert.match(owner.headers.get('set-cookie'), /^tollgate_device=[\w-]{22}; Path=\/auth; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
  const { admitted, answer } = await failUntilSlowed(() => login(user.email, WRONG, freshAddress()), 50);
  assert.equal(admitted, FREE_OF_STRANGERS + 1);
  const known = assertSlowed(answer);
  // An account that is not there is slowed down alike.
  const nobody = freshEmail();
  const unknown = await failUntilSlowed(() => login(nobody, WRONG, freshAddress()), 50);
  assert.equal(unknown.admitted, admitted);
  const { detail, ...rest } = assertSlowed(unknown.answer);
  assert.deepEqual({ ...rest, detail: detail.replace(/\d+ s/, '') }, { ...known, detail: known.detail.replace(/\d+ s/, '') });

  for (let n = 0; n < 3; n++) {
    const again = await login(user.email, PASSWORD, freshAddress(), cookie);
    assert.equal(again.status, 200, again.text);
    assert.equal(cookieOf(again), undefined, 'it is known already');
  }
  // Its own mistakes count, on a counter of its own.
  const own = await failUntilSlowed(() => login(user.email, WRONG, freshAddress(), cookie), 20);
  assert.equal(own.admitted, 11);
  // A device that is not known to this account is a stranger; nor does inventing them help.
  const other = await register(platform);
  const theirs = cookieOf(await login(other.email, PASSWORD, freshAddress()));
  for (const invented of [theirs, 'tollgate_device=AAAAAAAAAAAAAAAAAAAAAA', 'tollgate_device=x']) {
    const { admitted: guesses } = await failUntilSlowed(() => login(user.email, WRONG, freshAddress(), invented), 2);
    assert.ok(guesses <= 1, `${guesses} for ${invented}`);
  }
});

test('of fifty guesses at once no more are let through than one after the other', async () => {
  const user = await register(platform);
  const answers = await Promise.all(Array.from({ length: 50 }, () => login(user.email, WRONG, freshAddress())));
  const admitted = answers.filter(({ status }) => status === 401).length;
  // Hashing them takes a second or more, in which a wait or two runs out.
  assert.ok(admitted > FREE_OF_STRANGERS && admitted <= FREE_OF_STRANGERS + 5, `${admitted}`);
  for (const answer of answers.filter(({ status }) => status !== 401)) assertSlowed(answer);
});

test('a password set by mail lets its owner in while the account is attacked, and counters outlive a restart', async () => {
  const user = await register(platform);
  await failUntilSlowed(() => login(user.email, WRONG, freshAddress()), 50);
  const address = freshAddress();
  assert.equal((await post(platform, '/auth/forgot-password', { email: user.email }, { headers: headersOf(address) })).status, 204);
  const [mail] = await waitForMails(platform, user.email, 'reset_password');
  const password = 'another long and quiet password 43';
  await platform.restart();
  // The restart takes longer than the wait: one more, where a counter that was lost would let thirty through.
  const { admitted } = await failUntilSlowed(() => login(user.email, WRONG, freshAddress()), 5);
  assert.ok(admitted <= 2, `${admitted}`);
  const done = await post(platform, '/auth/reset-password', { token: tokenOf(mail), password }, { headers: headersOf(address) });
  assert.equal(done.status, 204, done.text);
  assert.equal((await login(user.email, password, address, cookieOf(done))).status, 200);
});

test('mails cannot be asked for without end', async () => {
  const user = await register(platform);
  for (const email of [user.email, freshEmail()]) {
    let admitted = 0;
    for (; ; admitted++) {
      const answer = await post(platform, '/auth/forgot-password', { email }, { headers: headersOf(freshAddress()) });
      if (answer.status === 429) {
        assertSlowed(answer);
        break;
      }
      assert.equal(answer.status, 204);
      assert.ok(admitted < 20);
    }
    assert.equal(admitted, 11);
  }
  const address = freshAddress();
  const answers = [];
  for (let n = 0; n < 13; n++) answers.push(await post(platform, '/auth/forgot-password', { email: freshEmail() }, { headers: headersOf(address) }));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [204, 429]);
});

test('asking by registration and inventing reset tokens are failures of the address', async () => {
  const user = await register(platform);
  for (const attempt of [
    (headers) => post(platform, '/auth/register', { email: user.email, password: PASSWORD }, { headers }),
    (headers) => post(platform, '/auth/reset-password', { token: `tgm_${user.tenant.id.slice(4)}.${user.user.id.slice(4)}.${'A'.repeat(43)}`, password: PASSWORD }, { headers }),
  ]) {
    const headers = headersOf(freshAddress());
    const statuses = [];
    for (let n = 0; n < 13; n++) statuses.push((await attempt(headers)).status);
    assert.deepEqual(statuses.map((status) => status === 429), [...Array(11).fill(false), true, true], `${statuses}`);
  }
  // Registrations that succeed are none.
  const headers = headersOf(freshAddress());
  for (let n = 0; n < 15; n++) assert.equal((await post(platform, '/auth/register', { email: freshEmail(), password: PASSWORD }, { headers })).status, 201);
  platform.assertNoPanic();
});
