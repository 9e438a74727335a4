// What docs/SDKS.md promises of OpenAI's client: with one line a retry costs nothing, and without it two answers are charged.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import OpenAI, { NotFoundError } from 'openai';
import { register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

/** A client whose first answer is lost on its way: the platform has sent it, and the client sees a broken line. */
function losingTheFirst(token) {
  const keys = [];
  let calls = 0;
  const client = new OpenAI({
    apiKey: token,
    baseURL: `${platform.url}/v1`,
    maxRetries: 2,
    fetch: async (url, init) => {
      keys.push(new Headers(init.headers).get('idempotency-key'));
      const response = await fetch(url, init);
      calls += 1;
      if (calls > 1) return response;
      await response.arrayBuffer();
      throw new TypeError('the line broke');
    },
  });
  return { client, keys };
}

function model(name = `openai-${randomUUID()}`) {
  upstream.answers(name, ({ json }) => json(200, openai.completion('Yes.')));
  return { name, model: `openai/${name}` };
}

const messages = [{ role: 'user', content: 'Is it open?' }];

test('with its idempotency header switched on, a retry gets the same answer and is charged once', async () => {
  const user = await register(platform);
  const { name, model: id } = model();
  const { client, keys } = losingTheFirst(user.access_token);
  client.idempotencyHeader = 'Idempotency-Key';
  const answer = await client.chat.completions.create({ model: id, messages });
  assert.equal(answer.choices[0].message.content, 'Yes.');
  assert.equal(keys.length, 2);
  assert.ok(keys[0] && keys[0] === keys[1], keys.join(' '));
  assert.equal(upstream.seen(name).length, 1);
  assert.equal((await settledQuota(platform, user.access_token)).requests.used, 1);
});

test('with a key of the caller in the headers, too', async () => {
  const user = await register(platform);
  const { name, model: id } = model();
  const { client, keys } = losingTheFirst(user.access_token);
  await client.chat.completions.create({ model: id, messages }, { headers: { 'Idempotency-Key': 'question-1' } });
  assert.deepEqual(keys, ['question-1', 'question-1']);
  assert.equal(upstream.seen(name).length, 1);
  assert.equal((await settledQuota(platform, user.access_token)).requests.used, 1);
});

test('without it both answers are charged', async () => {
  const user = await register(platform);
  const { name, model: id } = model();
  const { client, keys } = losingTheFirst(user.access_token);
  await client.chat.completions.create({ model: id, messages });
  assert.deepEqual(keys, [null, null]);
  assert.equal(upstream.seen(name).length, 2);
  assert.equal((await settledQuota(platform, user.access_token)).requests.used, 2);
});

test('what is not offered is said to be, with what to use instead', async () => {
  const user = await register(platform);
  const client = new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 0 });
  await assert.rejects(client.responses.create({ model: 'openai/gpt-5', input: 'x' }), (error) => {
    assert.ok(error instanceof NotFoundError, String(error));
    assert.match(error.message, /\/v1\/chat\/completions/);
    assert.match(error.message, /Responses/);
    return true;
  });
  await assert.rejects(client.embeddings.create({ model: 'openai/text-embedding-3-small', input: 'x' }), (error) => {
    assert.ok(error instanceof NotFoundError, String(error));
    assert.match(error.message, /embeddings/);
    return true;
  });
});

test('nothing panicked', () => platform.assertNoPanic());
