// One mailbox, one account: every spelling of an address is the same sign-in name, and a password is the same however its letters are put together.
import assert from 'node:assert/strict';
import { argon2Sync, randomBytes, randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { withDatabase } from '../harness/database.mjs';
import { PASSWORD, assertProblem, call, freshEmail, get, post, register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { tokenOf, waitForMails } from '../harness/outbox.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { eventually } from '../harness/usage.mjs';

const platform = await withPlatform();
after(() => platform.assertNoPanic());

const login = (email, password = PASSWORD) => post(platform, '/auth/login', { email, password });
const wide = (text) => [...text].map((c) => (c >= '!' && c <= '~' ? String.fromCodePoint(c.codePointAt(0) + 0xfee0) : c)).join('');
/** Spellings of one mailbox, and the form under which it is kept. */
const mailbox = () => {
  const name = `josé-${randomUUID().slice(0, 8)}`;
  const kept = `${name.normalize('NFC')}@xn--bcher-kva.example`;
  const [nfc, nfd] = [`${name}@bücher.example`.normalize('NFC'), `${name}@bücher.example`.normalize('NFD')];
  return { kept, nfc, nfd, all: [kept, nfc, nfd, nfc.toUpperCase(), nfd.toUpperCase(), `${name.normalize('NFD')}@XN--BCHER-KVA.Example`, wide(nfc), nfc.replace('.', '。'), ` ${nfc} `] };
};
const phc = (password) => {
  const nonce = randomBytes(16);
  const hash = argon2Sync('argon2id', { message: password, nonce, parallelism: 1, tagLength: 32, memory: 19456, passes: 2 });
  const text = (bytes) => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=19456,t=2,p=1$${text(nonce)}$${text(hash)}`;
};
const whileStopped = (work) => platform.restart({ whileStopped: () => withDatabase(platform.stateDir, work) });

test('whoever registers one spelling has them all: at registration, sign-in and reset', async () => {
  const { kept, all } = mailbox();
  const user = await register(platform, { email: all[2] });
  assert.equal(user.user.email, kept);
  for (const email of all) {
    assertProblem(await post(platform, '/auth/register', { email, password: PASSWORD }), 409, 'email_taken');
    const signedIn = await login(email);
    assert.equal(signedIn.status, 200, `${JSON.stringify(email)}: ${signedIn.text}`);
    assert.equal(signedIn.data.user.id, user.user.id);
  }
  assert.equal((await post(platform, '/auth/forgot-password', { email: all[6] })).status, 204);
  const [mail] = await waitForMails(platform, kept, 'reset_password');
  assert.equal((await post(platform, '/auth/reset-password', { token: tokenOf(mail), password: `${PASSWORD} two` })).status, 204);
  assert.equal((await login(all[1], `${PASSWORD} two`)).status, 200);

  // Short enough to be no longer than an address may be when each letter takes three bytes.
  const plain = `w-${randomUUID().slice(0, 8)}@example.com`;
  const ada = await register(platform, { email: wide(plain) });
  assert.equal(ada.user.email, plain);
  assertProblem(await post(platform, '/auth/register', { email: plain, password: PASSWORD }), 409, 'email_taken');
  for (const email of [plain, plain.toUpperCase(), wide(plain.toUpperCase())]) assert.equal((await login(email)).status, 200, email);
});

test('of registrations of many spellings at once one succeeds', async () => {
  const { all } = mailbox();
  const answers = await Promise.all(all.slice(0, 6).map((email) => post(platform, '/auth/register', { email, password: PASSWORD })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
});

test('an invitation reaches the mailbox whichever way it was typed, once', async () => {
  const owner = await register(platform);
  await platform.restart({
    whileStopped: () => {
      subscribe(platform.stateDir, [{ user: owner.user, plan: 'teams', limits: { requests: { hard: 100 }, tokens: 'unlimited' } }]);
      withDatabase(platform.stateDir, (database) => database.prepare('UPDATE subscriptions SET seats = 5 WHERE user_id = ?').run(owner.user.id));
    },
  });
  const { kept, nfc, nfd } = mailbox();
  const invite = (email) => post(platform, '/team/invites', { email, role: 'member' }, { token: owner.access_token });
  const invited = await invite(nfd);
  assert.equal(invited.status, 201, invited.text);
  assert.equal(invited.data.email, kept);
  assertProblem(await invite(nfc), 409, 'already_invited');
  const guest = await register(platform, { email: nfc });
  const [mail] = await waitForMails(platform, kept, 'invitation');
  const joined = await post(platform, '/team/invites/accept', { token: tokenOf(mail) }, { token: guest.access_token });
  assert.equal(joined.status, 200, joined.text);
  const domain = await post(platform, '/team/sso/domains', { domain: 'Bücher.example' }, { token: owner.access_token });
  assert.equal(domain.status, 201, domain.text);
  assert.equal(domain.data.domain, 'xn--bcher-kva.example');
});

test('one trial for one mailbox, however it is spelled', async () => {
  const { kept, nfc, nfd } = mailbox();
  const user = await register(platform, { email: nfc });
  const [mail] = await waitForMails(platform, kept, 'verify_email');
  assert.equal((await post(platform, '/auth/verify-email', { token: tokenOf(mail) }, { token: user.access_token })).status, 204);
  await call(platform, 'DELETE', '/user', { token: user.access_token, body: { password: PASSWORD } });
  for (let tries = 0; ; tries++) {
    const again = await post(platform, '/auth/register', { email: nfd, password: PASSWORD });
    if (again.status === 201) {
      assert.equal((await get(platform, '/user/trial-status', { token: again.data.access_token })).data.status, 'expired');
      break;
    }
    assert.ok(tries < 100, again.text);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test('accounts of before keep working: under their spelling, and under every other; two of one mailbox each under its own', async () => {
  const [one, two] = [mailbox(), mailbox()];
  const [old, first, second] = [await register(platform), await register(platform), await register(platform)];
  const typed = 'pass\u0065\u0301 phrase with an accent'.normalize('NFD');
  await whileStopped((database) => {
    const rename = (email, user) => {
      database.prepare('UPDATE users SET email = ? WHERE user_id = ?').run(email, user.user.id);
      database.prepare('UPDATE identities SET email = ? WHERE user_id = ?').run(email, user.user.id);
    };
    const stored = (text) => `${text.split('@')[0]}@bücher.example`.normalize('NFC').toLowerCase();
    rename(`${one.nfd.split('@')[0]}@bücher.example`, old);
    database.prepare('UPDATE users SET password_hash = ? WHERE user_id = ?').run(phc(typed), old.user.id);
    rename(stored(two.nfc), first);
    rename(`${two.nfd.split('@')[0]}@bücher.example`, second);
  });
  assertProblem(await post(platform, '/auth/register', { email: one.kept, password: PASSWORD }), 409, 'email_taken');
  for (const email of one.all) {
    const signedIn = await login(email, typed);
    assert.equal(signedIn.status, 200, `${JSON.stringify(email)}: ${signedIn.text}`);
    assert.equal(signedIn.data.user.id, old.user.id);
  }
  // Stored anew after the answer, in the form in which each keyboard's spelling is the same.
  for (let tries = 0; (await login(one.nfc, typed.normalize('NFC'))).status !== 200; tries++) assert.ok(tries < 20, 'the password was stored anew');
  assert.equal((await login(one.nfc, typed)).status, 200);

  assert.equal((await login(two.nfc)).data.user.id, first.user.id);
  const decomposed = await login(`${two.nfd.split('@')[0]}@bücher.example`);
  assert.equal(decomposed.data.user.id, second.user.id, 'its own spelling first');
});

test('an account of before is shown and deleted under its own spelling, with the tenants where it was', async () => {
  const { kept, nfc } = mailbox();
  const stored = nfc.toLowerCase();
  const user = await register(platform);
  const former = 'ten_0198b3d0-0000-7000-8000-000000000001';
  await whileStopped((database) => {
    for (const table of ['users', 'identities']) database.prepare(`UPDATE ${table} SET email = ? WHERE user_id = ?`).run(stored, user.user.id);
    database.prepare('UPDATE identities SET former_tenants = ? WHERE user_id = ?').run(` ${former}`, user.user.id);
  });
  const { data } = await login(stored);
  const [member] = (await get(platform, '/team/members', { token: data.access_token })).data.data;
  assert.equal(member.email, stored, 'as the profile shows it');
  const gone = await call(platform, 'DELETE', '/user', { token: data.access_token, body: { password: PASSWORD } });
  assert.ok([200, 202, 204].includes(gone.status), gone.text);
  await eventually('the address is free', async () => (await post(platform, '/auth/register', { email: kept, password: PASSWORD })).status === 201, 15_000);
  await whileStopped((database) => {
    const count = (sql, value) => database.prepare(sql).get(value).n;
    assert.equal(count('SELECT count(*) AS n FROM identities WHERE user_id = ?', user.user.id), 0);
    assert.equal(count('SELECT count(*) AS n FROM deletions WHERE tenant_id = ?', former), 1, 'the tenant of before follows');
  });
});

test('a password is the same in one part or in two: registered, checked, changed', async () => {
  const password = 'ein längeres Geheimnis für École';
  const [nfc, nfd] = [password.normalize('NFC'), password.normalize('NFD')];
  assert.notEqual(nfc, nfd);
  for (const [set, other] of [[nfc, nfd], [nfd, nfc]]) {
    const user = await register(platform, { password: set });
    for (const text of [set, other]) assert.equal((await login(user.email, text)).status, 200);
    assertProblem(await login(user.email, `${other}x`), 401, 'invalid_credentials');
    const changed = await post(platform, '/auth/password', { current_password: other, new_password: `${other} é` }, { token: user.access_token });
    assert.equal(changed.status, 204, changed.text);
    for (const text of [`${set} é`.normalize('NFC'), `${set} é`.normalize('NFD')]) assert.equal((await login(user.email, text)).status, 200);
    const gone = await call(platform, 'DELETE', '/user', { token: user.access_token, body: { password: `${set} é`.normalize('NFD') } });
    assert.ok([200, 202, 204].includes(gone.status), gone.text);
  }
  // Six letters in twelve parts are six characters.
  const short = 'é'.normalize('NFD').repeat(6);
  assertProblem(await post(platform, '/auth/register', { email: freshEmail(), password: short }), 422);
});
