// Tools with OpenAI's own client: offered, chosen, called, answered. Looked at from both ends: what reaches the provider, in the
// provider's words, and what the client gets.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import OpenAI, { UnprocessableEntityError } from 'openai';
import { register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { anthropic, gemini, openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });

const PROVIDERS = ['openai', 'anthropic', 'gemini'];
const isStream = (seen) => seen.body.stream === true || seen.path.includes('streamGenerateContent');
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const TOOLS = [
  { type: 'function', function: { name: 'weather', description: 'The weather of a city', parameters } },
  { type: 'function', function: { name: 'now' } },
];
const asked = [{ role: 'user', content: 'How is the weather in Ulm and in Köln?' }];
/** Two calls in one turn; the second with what has to be escaped. */
const CALLS = [
  { id: 'call_ulm', name: 'weather', args: { city: 'Ulm' } },
  { id: 'call_koeln', name: 'weather', args: { city: 'Köln "am Rhein"\n' } },
];
const RESULTS = ['{"rain":true}', 'dry, as far as one can see'];
const FINAL = 'It rains in Ulm; Köln is dry.';

/** Each provider's words for "call these" and for "this is the answer", whole and as frames: 11 tokens of prompt and 7 of answer. */
const WORDS = {
  openai: {
    calls: (calls) => ({
      body: {
        ...openai.completion(null),
        choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: calls.map(({ id, name, args }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } })) }, logprobs: null, finish_reason: 'tool_calls' }],
      },
      frames: [openai.delta({ role: 'assistant', content: null }), openai.toolCalls(calls), openai.delta({}, { finish_reason: 'tool_calls' }), openai.usage(11, 7), openai.done()],
    }),
    text: (text) => ({ body: openai.completion(text), frames: [openai.delta({ role: 'assistant', content: '' }), openai.text(text), openai.finish(), openai.usage(11, 7), openai.done()] }),
  },
  anthropic: {
    calls: (calls) => ({
      body: anthropic.message(calls.map(({ id, name, args }) => ({ type: 'tool_use', id, name, input: args })), { stop_reason: 'tool_use' }),
      frames: [anthropic.start(11), anthropic.toolUses(calls), anthropic.finish(7, 'tool_use')],
    }),
    text: (text) => ({ body: anthropic.message([{ type: 'text', text }]), frames: [anthropic.start(11), anthropic.text(text), anthropic.finish(7)] }),
  },
  gemini: {
    calls: (calls) => {
      const parts = calls.map(({ id, name, args, signature }) => ({ functionCall: { id, name, args }, ...(signature ? { thoughtSignature: signature } : {}) }));
      return { body: gemini.response([parts]), frames: [gemini.frame(gemini.response([parts]))] };
    },
    text: (text) => ({ body: gemini.response([[{ text }]]), frames: [gemini.text(text), gemini.finish(11, 7)] }),
  },
};
/** Calls tools until it is given results, then answers; the results of the calls are the last turn in each provider's words. */
const hasResults = {
  openai: ({ messages }) => messages.at(-1).role === 'tool',
  anthropic: ({ messages }) => messages.at(-1).content.some(({ type }) => type === 'tool_result'),
  gemini: ({ contents }) => contents.at(-1).parts.some(({ functionResponse }) => functionResponse),
};

/** A new user's client, and a model that calls these tools. */
async function prepare(provider, calls = CALLS) {
  const user = await register(platform);
  const name = `${provider}-${randomUUID()}`;
  upstream.answers(name, ({ seen, json, stream }) => {
    const { body, frames } = hasResults[provider](seen.body) ? WORDS[provider].text(FINAL) : WORDS[provider].calls(calls);
    return isStream(seen) ? stream(frames) : json(200, body);
  });
  const { completions } = new OpenAI({ apiKey: user.access_token, baseURL: `${platform.url}/v1`, maxRetries: 0 }).chat;
  return { user, model: `${provider}/${name}`, completions, seen: () => upstream.seen(name), sent: () => upstream.seen(name).at(-1).body };
}
async function assertCharged({ user }, requests, tokens) {
  const meters = await settledQuota(platform, user.access_token);
  assert.deepEqual([meters.requests.used, meters.tokens.used], [requests, tokens]);
}
async function assertRefused(prepared, request, param) {
  await assert.rejects(prepared.completions.create({ model: prepared.model, ...request }), (error) => {
    assert.ok(error instanceof UnprocessableEntityError, String(error));
    assert.deepEqual([error.param, error.code], [param, 'invalid_input']);
    return true;
  });
  assert.equal(prepared.seen().length, 0, 'nobody was asked');
  await assertCharged(prepared, 0, 0);
}

// -- offering and choosing

const OFFERED = {
  openai: ({ tools }) => assert.deepEqual(tools, TOOLS),
  anthropic: ({ tools }) =>
    assert.deepEqual(tools, [{ name: 'weather', description: 'The weather of a city', input_schema: parameters }, { name: 'now', input_schema: { type: 'object', properties: {} } }]),
  gemini: ({ tools }) =>
    assert.deepEqual(tools, [{ functionDeclarations: [{ name: 'weather', description: 'The weather of a city', parametersJsonSchema: parameters }, { name: 'now', description: '' }] }]),
};
const CHOICES = {
  'no choice': { choice: undefined, anthropic: undefined, gemini: undefined },
  auto: { choice: 'auto', anthropic: { type: 'auto' }, gemini: { mode: 'AUTO' } },
  none: { choice: 'none', anthropic: { type: 'none' }, gemini: { mode: 'NONE' } },
  required: { choice: 'required', anthropic: { type: 'any' }, gemini: { mode: 'ANY' } },
  'one by its name': { choice: { type: 'function', function: { name: 'weather' } }, anthropic: { type: 'tool', name: 'weather' }, gemini: { mode: 'ANY', allowedFunctionNames: ['weather'] } },
};
const CHOSEN = { openai: ({ tool_choice }) => tool_choice, anthropic: ({ tool_choice }) => tool_choice, gemini: ({ toolConfig }) => toolConfig?.functionCallingConfig };
for (const provider of PROVIDERS) {
  for (const [name, { choice, ...words }] of Object.entries(CHOICES)) {
    test(`${provider}: tools are offered with the choice: ${name}`, async () => {
      const prepared = await prepare(provider);
      const { model, completions } = prepared;
      await completions.create({ model, messages: asked, tools: TOOLS, tool_choice: choice });
      OFFERED[provider](prepared.sent());
      assert.deepEqual(CHOSEN[provider](prepared.sent()), provider === 'openai' ? choice : words[provider]);
    });
  }
}

test('one call at a time: OpenAI and Anthropic can be told, Gemini cannot, and says so before anything is charged', async () => {
  const request = { messages: asked, tools: TOOLS, parallel_tool_calls: false };
  const [first, second] = [await prepare('openai'), await prepare('anthropic')];
  await first.completions.create({ model: first.model, ...request });
  assert.equal(first.sent().parallel_tool_calls, false);
  await second.completions.create({ model: second.model, ...request });
  assert.deepEqual(second.sent().tool_choice, { type: 'auto', disable_parallel_tool_use: true });
  await second.completions.create({ model: second.model, ...request, tool_choice: 'required' });
  assert.deepEqual(second.sent().tool_choice, { type: 'any', disable_parallel_tool_use: true });
  await assertRefused(await prepare('gemini'), request, 'parallel_tool_calls');
});

// -- calling and answering

const turn = (message, results) => [...asked, message, ...results.map((content, index) => ({ role: 'tool', tool_call_id: CALLS[index].id, content }))];
/** The second request in each provider's words: the calls as they were made, and both results. */
const ANSWERED = {
  openai: ({ messages }) => {
    assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool']);
    assert.deepEqual(messages[1].tool_calls.map(({ id, type, function: { name, arguments: args } }) => ({ id, type, name, args: JSON.parse(args) })), CALLS.map((call) => ({ ...call, type: 'function' })));
    assert.deepEqual(messages.slice(2).map(({ tool_call_id, content }) => [tool_call_id, content]), CALLS.map(({ id }, index) => [id, RESULTS[index]]));
  },
  anthropic: ({ messages }) =>
    assert.deepEqual(messages, [
      { role: 'user', content: [{ type: 'text', text: asked[0].content }] },
      { role: 'assistant', content: CALLS.map(({ id, name, args }) => ({ type: 'tool_use', id, name, input: args })) },
      { role: 'user', content: CALLS.map(({ id }, index) => ({ type: 'tool_result', tool_use_id: id, content: RESULTS[index] })) },
    ]),
  gemini: ({ contents }) => {
    assert.deepEqual(contents.map(({ role }) => role), ['user', 'model', 'user']);
    assert.deepEqual(contents[1].parts.map(({ functionCall }) => functionCall), CALLS);
    assert.deepEqual(contents[2].parts, [
      { functionResponse: { id: 'call_ulm', name: 'weather', response: { rain: true } } },
      { functionResponse: { id: 'call_koeln', name: 'weather', response: { result: RESULTS[1] } } },
    ]);
  },
};
for (const provider of PROVIDERS) {
  for (const stream of [false, true]) {
    const manner = stream ? ', as streams' : '';

    test(`${provider}: two calls and their results make one conversation${manner}`, async () => {
      const prepared = await prepare(provider);
      const { model, completions } = prepared;
      const ask = (messages) => (stream ? completions.stream({ model, messages, tools: TOOLS }).finalChatCompletion() : completions.create({ model, messages, tools: TOOLS }));
      const first = await ask(asked);
      assert.equal(first.choices[0].finish_reason, 'tool_calls');
      const { message } = first.choices[0];
      assert.ok(!message.content, `no text beside the calls: ${message.content}`);
      assert.deepEqual(message.tool_calls.map(({ id, type, function: { name, arguments: args } }) => ({ id, type, name, args: JSON.parse(args) })), CALLS.map((call) => ({ ...call, type: 'function' })));
      const second = await ask(turn(message, RESULTS));
      assert.deepEqual([second.choices[0].finish_reason, second.choices[0].message.content], ['stop', FINAL]);
      assert.equal(prepared.seen().length, 2);
      ANSWERED[provider](prepared.sent());
      await assertCharged(prepared, 2, 36);
    });

    test(`${provider}: the SDK's own runner calls the functions and brings back the answer${manner}`, async () => {
      const prepared = await prepare(provider);
      const called = [];
      const weather = ({ city }) => {
        called.push(city);
        return RESULTS[called.length - 1];
      };
      const runner = prepared.completions.runTools({ model: prepared.model, stream, messages: asked, tools: [{ type: 'function', function: { name: 'weather', description: 'The weather of a city', parameters, parse: JSON.parse, function: weather } }] });
      assert.equal(await runner.finalContent(), FINAL);
      assert.deepEqual(called, CALLS.map(({ args }) => args.city));
      assert.equal(prepared.seen().length, 2);
      ANSWERED[provider](prepared.sent());
      await assertCharged(prepared, 2, 36);
    });
  }

  test(`${provider}: a call without arguments is one with none`, async () => {
    for (const stream of [false, true]) {
      const { model, completions } = await prepare(provider, [{ id: 'call_now', name: 'now', args: {} }]);
      const request = { model, messages: asked, tools: TOOLS };
      const { choices } = stream ? await completions.stream(request).finalChatCompletion() : await completions.create(request);
      const [{ function: { name, arguments: args } }] = choices[0].message.tool_calls;
      assert.deepEqual([name, JSON.parse(args)], ['now', {}]);
    }
  });
}

test('gemini: the signature of the thinking behind a call goes out with it and comes back', async () => {
  for (const stream of [false, true]) {
    const prepared = await prepare('gemini', [{ ...CALLS[0], signature: 'c2lnbmVk' }, CALLS[1]]);
    const { model, completions } = prepared;
    const ask = (messages) => (stream ? completions.stream({ model, messages, tools: TOOLS }).finalChatCompletion() : completions.create({ model, messages, tools: TOOLS }));
    const { message } = (await ask(asked)).choices[0];
    await ask(turn(message, RESULTS));
    assert.deepEqual(prepared.sent().contents[1].parts.map(({ thoughtSignature }) => thoughtSignature), ['c2lnbmVk', undefined]);
  }
});

test('gemini: calls of a provider that gives them no ids get ids of their own, and their results find them', async () => {
  const prepared = await prepare('gemini', CALLS.map(({ name, args }) => ({ name, args })));
  const { model, completions } = prepared;
  const { message } = (await completions.create({ model, messages: asked, tools: TOOLS })).choices[0];
  const ids = message.tool_calls.map(({ id }) => id);
  assert.equal(new Set(ids).size, 2);
  // In another order than the calls: an id is what counts.
  const results = [...ids].reverse().map((id) => ({ role: 'tool', tool_call_id: id, content: id }));
  assert.equal((await completions.create({ model, tools: TOOLS, messages: [...asked, message, ...results] })).choices[0].message.content, FINAL);
  assert.deepEqual(prepared.sent().contents[2].parts.map(({ functionResponse }) => functionResponse.response.result), [...ids].reverse());
});

test('a conversation that began with one provider goes on with each other', async () => {
  for (const from of PROVIDERS) {
    const first = await prepare(from);
    const { message } = (await first.completions.create({ model: first.model, messages: asked, tools: TOOLS })).choices[0];
    for (const to of PROVIDERS) {
      const second = await prepare(to);
      const { choices } = await second.completions.create({ model: second.model, messages: turn(message, RESULTS), tools: TOOLS });
      assert.equal(choices[0].message.content, FINAL, `${from} to ${to}`);
      ANSWERED[to](second.sent());
    }
  }
});

test('a result that cannot be carried over is refused by its place, and nothing is charged', async () => {
  const call = (args) => ({ role: 'assistant', content: null, tool_calls: [{ id: 'call_ulm', type: 'function', function: { name: 'weather', arguments: args } }] });
  const result = (id) => ({ role: 'tool', tool_call_id: id, content: 'dry' });
  await assertRefused(await prepare('gemini'), { tools: TOOLS, messages: [...asked, call('{}'), result('call_of_nobody')] }, 'messages[2].tool_call_id');
  for (const provider of ['anthropic', 'gemini']) {
    await assertRefused(await prepare(provider), { tools: TOOLS, messages: [...asked, call('{"city":'), result('call_ulm')] }, 'messages[1].tool_calls[0].function.arguments');
    await assertRefused(await prepare(provider), { messages: asked, tools: [...TOOLS, { type: 'custom', custom: { name: 'grammar' } }] }, 'tools[2].type');
  }
});

test('nothing panicked', () => platform.assertNoPanic());
