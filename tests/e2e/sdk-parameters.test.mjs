// What OpenAI's own client can send beside plain text: images, the form of the answer, several answers, stop words. Looked at from both
// ends: what reaches the provider, in the provider's words, and what the client gets.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import OpenAI, { APIError, UnprocessableEntityError } from 'openai';
import { register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { logs, settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

const PROVIDERS = ['openai', 'anthropic', 'gemini'];
/** One text in a provider's words, whole or as a stream: 11 tokens of prompt and 7 of answer. */
const SAYING = {
  openai: (text) => ({ body: openai.completion(text), frames: [openai.delta({ role: 'assistant', content: '' }), openai.text(text), openai.finish(), openai.usage(11, 7), openai.done()] }),
  anthropic: (text, stop_reason) => ({ body: anthropic.message([{ type: 'text', text }], { stop_reason }), frames: [anthropic.start(11), anthropic.text(text), anthropic.finish(7, stop_reason)] }),
  gemini: (text) => ({ body: gemini.response([[{ text }]]), frames: [gemini.text(text), gemini.finish(11, 7)] }),
};
const isStream = (seen) => seen.body.stream === true || seen.path.includes('streamGenerateContent');
const answering = ({ body, frames }) => ({ seen, json, stream }) => (isStream(seen) ? stream(frames) : json(200, body));

/** A new user's client, and a model that answers so; `sent()` is the one body that reached the provider. */
async function prepare(provider, answer = SAYING[provider]('Yes.')) {
  const user = await register(platform);
  const name = `${provider}-${randomUUID()}`;
  upstream.answers(name, answering(answer));
  return {
    user,
    model: `${provider}/${name}`,
    completions: new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 0 }).chat.completions,
    sent: (stream = false) => {
      const requests = upstream.seen(name);
      assert.equal(requests.length, 1, 'the provider was asked once');
      assert.equal(isStream(requests[0]), stream);
      return requests[0].body;
    },
    assertNotAsked: () => assert.equal(upstream.seen(name).length, 0, 'the provider was not asked'),
  };
}
async function assertCharged({ user }, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
  assert.equal((await logs(platform, user.access_token)).length, requests);
}
/** The client's error names the field; nobody was asked, and nothing is charged. */
async function assertRefused(prepared, request, param) {
  await assert.rejects(prepared.completions.create({ model: prepared.model, ...request }), (error) => {
    assert.ok(error instanceof UnprocessableEntityError, String(error));
    assert.deepEqual([error.param, error.code, error.type], [param, 'invalid_input', 'invalid_request_error']);
    return true;
  });
  prepared.assertNotAsked();
  await assertCharged(prepared, 0, 0);
}
/** Asks whole and as a stream, each with a client of its own, and looks at both ends. */
function bothWays(name, provider, { request, answer, expect, sees }) {
  for (const stream of [false, true]) {
    test(`${provider}: ${name}${stream ? ', as a stream' : ''}`, async () => {
      const prepared = await prepare(provider, answer);
      const { model, completions } = prepared;
      const got = stream ? await completions.stream({ model, ...request }).finalChatCompletion() : await completions.create({ model, ...request });
      sees(prepared.sent(stream));
      expect(got);
      await assertCharged(prepared, 1, 18);
    });
  }
}
const says = (text, finish = 'stop') => ({ choices }) => assert.deepEqual(choices.map(({ index, finish_reason, message }) => [index, finish_reason, message.role, message.content]), [[0, finish, 'assistant', text]]);

// -- images

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const REMOTE = 'https://images.example.com/gate.JPG?size=2#top';
const looking = (...urls) => [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, ...urls.map((url) => ({ type: 'image_url', image_url: { url } }))] }];
const pictures = looking(`data:image/png;base64,${PNG}`, REMOTE);
pictures[0].content[2].image_url.detail = 'low';
const IMAGES_ON_THE_WIRE = {
  openai: ({ messages }) => assert.deepEqual(messages, pictures, 'as they came'),
  anthropic: ({ messages }) =>
    assert.deepEqual(messages, [
      { role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } }, { type: 'image', source: { type: 'url', url: REMOTE } }] },
    ]),
  gemini: ({ contents }) =>
    assert.deepEqual(contents, [{ role: 'user', parts: [{ text: 'What is this?' }, { inlineData: { mimeType: 'image/png', data: PNG } }, { fileData: { fileUri: REMOTE, mimeType: 'image/jpeg' } }] }]),
};
for (const provider of PROVIDERS) {
  bothWays('images in the message and images elsewhere', provider, { request: { messages: pictures }, answer: SAYING[provider]('A gate.'), sees: IMAGES_ON_THE_WIRE[provider], expect: says('A gate.') });

  test(`${provider}: an image of 5 MB is sent whole and held for as an image, not as so much text`, async () => {
    const prepared = await prepare(provider);
    const large = Buffer.alloc(5_000_000, PNG).toString('base64');
    await prepared.completions.create({ model: prepared.model, messages: looking(`data:image/webp;base64,${large}`) });
    const body = prepared.sent();
    const arrived = { openai: () => body.messages[0].content[1].image_url.url.split(',')[1], anthropic: () => body.messages[0].content[1].source.data, gemini: () => body.contents[0].parts[1].inlineData.data }[provider]();
    assert.ok(arrived === large, 'byte by byte');
    await assertCharged(prepared, 1, 18);
  });
}
for (const provider of ['anthropic', 'gemini']) {
  test(`${provider}: an image that the provider could not take is refused by its place, and nothing is charged`, async () => {
    for (const url of ['http://images.example.com/gate.png', 'data:text/html;base64,PGI+', 'data:image/png,raw', 'data:;base64,AAAA', 'data:image/png;base64']) {
      await assertRefused(await prepare(provider), { messages: looking(REMOTE, url) }, 'messages[0].content[2].image_url.url');
    }
  });
}
test('openai: an image behind a plain http address is the provider\'s to judge', async () => {
  const prepared = await prepare('openai');
  await prepared.completions.create({ model: prepared.model, messages: looking('http://images.example.com/gate.png') });
  assert.equal(prepared.sent().messages[0].content[1].image_url.url, 'http://images.example.com/gate.png');
});
test('images of more than 8 MB in all are 413 before anybody is asked', async () => {
  const prepared = await prepare('openai');
  await assert.rejects(prepared.completions.create({ model: prepared.model, messages: looking(`data:image/png;base64,${'A'.repeat(8 * 1024 * 1024)}`) }), (error) => {
    assert.ok(error instanceof APIError, String(error));
    assert.deepEqual([error.status, error.code], [413, 'payload_too_large']);
    return true;
  });
  prepared.assertNotAsked();
  await assertCharged(prepared, 0, 0);
});

// -- the form of the answer

const schema = { type: 'object', properties: { gate: { type: 'string' }, pennies: { type: 'integer' } }, required: ['gate', 'pennies'], additionalProperties: false };
const asSchema = { type: 'json_schema', json_schema: { name: 'toll', strict: true, schema } };
const TOLL = { gate: 'by the "river"', pennies: 2 };
const question = [{ role: 'system', content: 'You are a toll keeper.' }, { role: 'user', content: 'What is the toll?' }];
const FORMS = {
  'an answer after a JSON schema': {
    response_format: asSchema,
    openai: (body) => assert.deepEqual(body.response_format, asSchema),
    anthropic: (body) => assert.deepEqual([body.output_config, body.system], [{ format: { type: 'json_schema', schema } }, 'You are a toll keeper.']),
    gemini: ({ generationConfig }) => assert.deepEqual([generationConfig.responseMimeType, generationConfig.responseJsonSchema], ['application/json', schema]),
  },
  'an answer that is some JSON object': {
    response_format: { type: 'json_object' },
    openai: (body) => assert.deepEqual(body.response_format, { type: 'json_object' }),
    // Anthropic knows no such thing: it is told in words.
    anthropic: (body) => assert.ok(body.system.startsWith('You are a toll keeper.\n\n') && /JSON object/.test(body.system) && !body.output_config, JSON.stringify(body)),
    gemini: ({ generationConfig }) => assert.deepEqual([generationConfig.responseMimeType, generationConfig.responseJsonSchema], ['application/json', undefined]),
  },
  'an answer in plain text, asked for by name': {
    response_format: { type: 'text' },
    openai: (body) => assert.deepEqual(body.response_format, { type: 'text' }),
    anthropic: (body) => assert.deepEqual([body.system, body.output_config], ['You are a toll keeper.', undefined]),
    gemini: (body) => assert.deepEqual([body.generationConfig?.responseMimeType, body.generationConfig?.responseJsonSchema], [undefined, undefined]),
  },
};
for (const [name, form] of Object.entries(FORMS)) {
  for (const provider of PROVIDERS) {
    bothWays(name, provider, { request: { messages: question, response_format: form.response_format }, answer: SAYING[provider](JSON.stringify(TOLL)), sees: form[provider], expect: says(JSON.stringify(TOLL)) });
  }
}
for (const provider of PROVIDERS) {
  test(`${provider}: the SDK's own parser makes an object of an answer after a schema`, async () => {
    const prepared = await prepare(provider, SAYING[provider](JSON.stringify(TOLL)));
    const { choices } = await prepared.completions.parse({ model: prepared.model, messages: question, response_format: asSchema });
    assert.deepEqual(choices[0].message.parsed, TOLL);
  });
}

// -- stop words

for (const provider of PROVIDERS) {
  for (const [what, stop] of [['one stop word', 'END'], ['several stop words', ['END', '\n\n', 'Größe']]]) {
    bothWays(what, provider, {
      request: { messages: question, stop },
      answer: SAYING[provider]('Two pennies', 'stop_sequence'),
      sees: {
        openai: (body) => assert.deepEqual(body.stop, stop, 'as it came'),
        // Anthropic refuses a stop sequence of nothing but blanks: it is left out.
        anthropic: (body) => assert.deepEqual([body.stop_sequences, body.stop], [[stop].flat().filter((word) => word.trim()), undefined]),
        gemini: (body) => assert.deepEqual(body.generationConfig.stopSequences, [stop].flat()),
      }[provider],
      expect: says('Two pennies'),
    });
  }
}

// -- several answers

const TWO = {
  openai: {
    body: { ...openai.completion(''), choices: ['One.', 'Two.'].map((content, index) => ({ index, message: { role: 'assistant', content }, logprobs: null, finish_reason: index === 0 ? 'stop' : 'length' })) },
    // Mixed, and the second is over before the first.
    frames: [
      openai.delta({ role: 'assistant', content: 'O' }), openai.delta({ role: 'assistant', content: 'Two.' }, { index: 1 }), openai.delta({}, { index: 1, finish_reason: 'length' }),
      openai.delta({ content: 'ne.' }), openai.delta({}, { finish_reason: 'stop' }), openai.usage(11, 7), openai.done(),
    ],
    sees: (body) => assert.equal(body.n, 2),
  },
  gemini: (() => {
    const body = gemini.response([[{ text: 'One.' }], [{ text: 'Two.' }]]);
    body.candidates[1].finishReason = 'MAX_TOKENS';
    const piece = (index, text, finishReason) => gemini.frame({ candidates: [{ index, content: { role: 'model', parts: [{ text }] }, ...(finishReason ? { finishReason } : {}) }], ...(finishReason === 'STOP' ? { usageMetadata: body.usageMetadata } : {}) });
    return { body, frames: [piece(0, 'O'), piece(1, 'Two.', 'MAX_TOKENS'), piece(0, 'ne.'), piece(0, '', 'STOP')], sees: ({ generationConfig }) => assert.equal(generationConfig.candidateCount, 2) };
  })(),
};
const saysBoth = ({ choices }) => assert.deepEqual(choices.map(({ index, finish_reason, message }) => [index, finish_reason, message.content]), [[0, 'stop', 'One.'], [1, 'length', 'Two.']]);
for (const [provider, { sees, ...answer }] of Object.entries(TWO)) {
  bothWays('two answers to one question are one request', provider, { request: { messages: question, n: 2 }, answer, sees, expect: saysBoth });

  test(`${provider}: two answers are held for twice, and refused together when only one would fit`, async () => {
    const prepared = await prepare(provider, answer);
    const { model, completions } = prepared;
    await assert.rejects(completions.create({ model, messages: question, n: 2, max_tokens: 30_000 }), (error) => {
      assert.deepEqual([error.status, error.code], [429, 'quota_exceeded']);
      return true;
    });
    prepared.assertNotAsked();
    saysBoth(await completions.create({ model, messages: question, n: 2, max_tokens: 20_000 }));
    await assertCharged(prepared, 1, 18);
  });
}
test('anthropic: two answers to one question do not exist there, and one is asked for as ever', async () => {
  for (const stream of [false, true]) await assertRefused(await prepare('anthropic'), { messages: question, n: 2, stream }, 'n');
  const prepared = await prepare('anthropic');
  says('Yes.')(await prepared.completions.create({ model: prepared.model, messages: question, n: 1 }));
  assert.equal(prepared.sent().n, undefined);
});

test('nothing panicked', () => platform.assertNoPanic());
