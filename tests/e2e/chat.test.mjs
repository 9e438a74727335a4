// The official OpenAI SDK, unchanged, against every provider. The providers are aimock's, which speaks their wire formats.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import OpenAI, { APIError, AuthenticationError, BadRequestError, ConflictError, NotFoundError, RateLimitError, UnprocessableEntityError } from 'openai';
import { assertProblem, chat, get, post, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai as wire, startUpstream } from '../harness/upstream.mjs';
import { logOf, settledQuota } from '../harness/usage.mjs';

const mock = new LLMock({ port: 0, logLevel: 'silent' });
await mock.start();
after(() => mock.stop());
// Beside aimock an upstream of our own for what is to be looked at closely: which bytes reach a provider.
const upstream = await startUpstream();

const platform = await withPlatform({
  env: {
    OPENAI_API_KEY: 'sk-openai-key-of-the-house',
    OPENAI_BASE_URL: `${mock.url}/v1`,
    ANTHROPIC_API_KEY: 'sk-ant-key-of-the-house',
    ANTHROPIC_BASE_URL: mock.url,
    GEMINI_API_KEY: 'AIza-key-of-the-house',
    GEMINI_BASE_URL: mock.url,
  },
});

// aimock takes each provider's own names; one fixture carries all three.
const USAGE = { prompt_tokens: 40, completion_tokens: 12, input_tokens: 40, output_tokens: 12, promptTokenCount: 40, candidatesTokenCount: 12, totalTokenCount: 52 };
const ANSWER = 'The toll is paid at the gate. Größe: 3 € 🚧';
mock.on({ userMessage: 'Where is the toll paid?' }, { content: ANSWER, usage: USAGE });
mock.on({ userMessage: 'How is the weather in Ulm?', hasToolResult: false }, { toolCalls: [{ name: 'weather', arguments: '{"city":"Ulm"}', id: 'call_1' }], usage: USAGE });
mock.on({ userMessage: 'How is the weather in Ulm?', hasToolResult: true }, { content: 'It rains in Ulm.', usage: USAGE });

const TOOLS = [{ type: 'function', function: { name: 'weather', description: 'The weather of a city', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }];
const messages = [
  { role: 'system', content: 'You are a toll keeper.' },
  { role: 'user', content: 'Where is the toll paid?' },
];
const sdk = (apiKey, base = platform) => new OpenAI({ apiKey, baseURL: `${base.url}/v1`, maxRetries: 0 });

let user;
let client;
before(async () => {
  user = await register(platform);
  client = sdk(user.access_token);
});

const MODELS = { openai: 'openai/gpt-5-mini', anthropic: 'anthropic/claude-haiku-4-5', gemini: 'gemini/gemini-2.5-flash' };

for (const [provider, model] of Object.entries(MODELS)) {
  test(`${provider}: a completion`, async () => {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    assert.equal(data.object, 'chat.completion');
    assert.match(data.id, /^chatcmpl-/);
    // OpenAI says which snapshot answered; the others' answers are put into its words here.
    assert.equal(data.model, provider === 'openai' ? 'gpt-5-mini' : model);
    assert.ok(Math.abs(data.created - Date.now() / 1000) < 120 || provider === 'openai');
    assert.equal(data.choices.length, 1);
    assert.equal(data.choices[0].message.role, 'assistant');
    assert.equal(data.choices[0].message.content, ANSWER);
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.deepEqual([data.usage.prompt_tokens, data.usage.completion_tokens, data.usage.total_tokens], [40, 12, 52]);

    const requestId = response.headers.get('x-request-id');
    const row = await logOf(platform, user.access_token, requestId);
    assert.deepEqual([row.prompt_tokens, row.completion_tokens, row.model, row.outcome, row.estimated], [40, 12, model, 'completed', false]);
    assert.ok(row.cost_microusd > 0, 'a model with a price costs something');
    assert.equal(response.headers.get('x-tollgate-cost-microusd'), String(row.cost_microusd));
    assert.match(response.headers.get('x-tollgate-requests-remaining'), /^\d+$/);
    assert.match(response.headers.get('x-tollgate-tokens-remaining'), /^\d+$/);
  });

  test(`${provider}: a stream`, async () => {
    const { data: stream, response } = await client.chat.completions.create({ model, messages, stream: true }).withResponse();
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    assert.match(response.headers.get('x-tollgate-requests-remaining'), /^\d+$/);
    let text = '';
    const finishes = [];
    const usages = [];
    const ids = new Set();
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk');
      assert.equal(chunk.model, provider === 'openai' ? 'gpt-5-mini' : model);
      ids.add(chunk.id);
      text += chunk.choices[0]?.delta.content ?? '';
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk);
      if (chunk.usage) usages.push(chunk.usage);
    }
    assert.equal(text, ANSWER);
    assert.equal(ids.size, 1, 'all chunks carry one id');
    assert.equal(finishes.length, 1);
    assert.equal(finishes[0].choices[0].finish_reason, 'stop');
    // Nobody asked for a chunk of its own, so the usage sits on the last chunk there is anyway.
    assert.deepEqual(finishes[0].usage && [finishes[0].usage.prompt_tokens, finishes[0].usage.completion_tokens], [40, 12]);
    assert.equal(usages.length, 1);
    const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'));
    assert.deepEqual([row.prompt_tokens, row.completion_tokens, row.outcome], [40, 12, 'completed']);
  });

  test(`${provider}: a stream with include_usage`, async () => {
    const chunks = await Array.fromAsync(await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } }));
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.deepEqual([last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens], [40, 12, 52]);
    assert.equal(chunks.filter(({ usage }) => usage).length, 1);
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), ANSWER);
  });

  test(`${provider}: a tool is called, and its result is taken into account`, async () => {
    const asked = [{ role: 'user', content: 'How is the weather in Ulm?' }];
    const first = await client.chat.completions.create({ model, messages: asked, tools: TOOLS });
    assert.equal(first.choices[0].finish_reason, 'tool_calls');
    const [toolCall] = first.choices[0].message.tool_calls;
    assert.equal(toolCall.type, 'function');
    assert.equal(toolCall.function.name, 'weather');
    assert.deepEqual(JSON.parse(toolCall.function.arguments), { city: 'Ulm' });
    const second = await client.chat.completions.create({
      model,
      tools: TOOLS,
      messages: [...asked, first.choices[0].message, { role: 'tool', tool_call_id: toolCall.id, content: '{"rain":true}' }],
    });
    assert.equal(second.choices[0].message.content, 'It rains in Ulm.');
  });

  test(`${provider}: a tool call in a stream is put together by the SDK's own helper`, async () => {
    const runner = client.chat.completions.stream({ model, messages: [{ role: 'user', content: 'How is the weather in Ulm?' }], tools: TOOLS });
    const final = await runner.finalChatCompletion();
    assert.equal(final.choices[0].finish_reason, 'tool_calls');
    assert.equal(final.choices[0].message.tool_calls.length, 1);
    assert.equal(final.choices[0].message.tool_calls[0].function.name, 'weather');
    assert.deepEqual(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments), { city: 'Ulm' });
  });
}

test('tollgate/extractive: answers by quoting the conversation, whole and as a stream, and costs nothing', async () => {
  const question = [
    { role: 'user', content: 'Cars pay two pennies. The toll is paid at the gate by the river. Bakers sleep late. Where is the toll paid?' },
  ];
  const { data, response } = await client.chat.completions.create({ model: 'tollgate/extractive', messages: question }).withResponse();
  assert.match(data.choices[0].message.content, /The toll is paid at the gate by the river/);
  assert.ok(data.usage.prompt_tokens > 0 && data.usage.completion_tokens > 0);
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.equal(response.headers.get('x-tollgate-cost-microusd'), '0');
  const row = await logOf(platform, user.access_token, response.headers.get('x-request-id'));
  assert.deepEqual([row.tokens, row.cost_microusd], [data.usage.total_tokens, 0]);

  const chunks = await Array.fromAsync(await client.chat.completions.create({ model: 'tollgate/extractive', messages: question, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), data.choices[0].message.content);
  assert.ok(chunks.find((chunk) => chunk.choices[0]?.finish_reason).usage.total_tokens > 0);
});

test('what is left counts down, request by request', async () => {
  const fresh = await register(platform);
  const left = [];
  for (let n = 0; n < 3; n++) {
    const { headers, data } = await chat(platform, fresh.access_token);
    left.push([Number(headers.get('x-tollgate-requests-remaining')), Number(headers.get('x-tollgate-tokens-remaining')), data.usage.total_tokens]);
    await settledQuota(platform, fresh.access_token);
  }
  assert.deepEqual(left.map(([requests]) => requests), [119, 118, 117]);
  let tokens = 50_000;
  for (const [, remaining, used] of left) {
    tokens -= used;
    assert.equal(remaining, tokens);
  }
});

test('models are listed and retrieved in OpenAI\'s shape', async () => {
  const models = await Array.fromAsync(client.models.list());
  const ids = models.map(({ id }) => id);
  assert.ok(ids.includes('tollgate/extractive'));
  for (const provider of Object.keys(MODELS)) assert.ok(ids.some((id) => id.startsWith(`${provider}/`)), provider);
  for (const model of models) {
    assert.equal(model.object, 'model');
    assert.equal(typeof model.created, 'number');
    assert.equal(model.owned_by, model.id.split('/')[0]);
  }
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.equal((await client.models.retrieve(id)).id, id);
  assert.equal((await client.models.retrieve('openai/came-out-yesterday')).id, 'openai/came-out-yesterday', 'new models work before anybody lists them');
  await assert.rejects(client.models.retrieve('nobody/knows'), NotFoundError);
});

test('the SDK raises its own error classes', async (t) => {
  const create = (more, options) => client.chat.completions.create({ model: 'tollgate/extractive', messages, ...more }, options);
  await t.test('AuthenticationError without a good key', async () => {
    await assert.rejects(sdk('no-such-key').chat.completions.create({ model: 'tollgate/extractive', messages }), (error) => {
      assert.ok(error instanceof AuthenticationError, String(error));
      assert.equal(error.code, 'unauthorized');
      return true;
    });
    await assert.rejects(sdk('no-such-key').models.list(), AuthenticationError);
  });
  await t.test('NotFoundError for an unknown provider or model', async () => {
    for (const model of ['nobody/knows', 'gpt-5', 'tollgate/other', 'openai/', '/gpt-5', 'OpenAI/gpt-5']) {
      await assert.rejects(create({ model }), (error) => {
        assert.ok(error instanceof NotFoundError, `${model}: ${error}`);
        assert.equal(error.code, 'model_not_found');
        assert.match(error.requestID, /^req_/);
        return true;
      });
    }
  });
  await t.test('UnprocessableEntityError names the field', async () => {
    await assert.rejects(create({ temperature: 'hot' }), (error) => {
      assert.ok(error instanceof UnprocessableEntityError, String(error));
      assert.equal(error.param, 'temperature');
      assert.equal(error.type, 'invalid_request_error');
      return true;
    });
    await assert.rejects(create({ messages: [{ role: 'robot', content: 'x' }] }), (error) => error.param === 'messages[0].role');
  });
  await t.test('BadRequestError for what the provider refuses, with its words', async () => {
    mock.on({ userMessage: 'Provoke a 400' }, { error: { message: 'temperature is too hot', type: 'invalid_request_error' }, status: 400 });
    for (const model of Object.values(MODELS)) {
      await assert.rejects(create({ model, messages: [{ role: 'user', content: 'Provoke a 400' }] }), (error) => {
        assert.ok(error instanceof BadRequestError, `${model}: ${error}`);
        assert.match(error.message, /temperature is too hot/);
        return true;
      });
    }
  });
  await t.test('RateLimitError when the quota is used up', async () => {
    const spent = await register(platform);
    await assert.rejects(sdk(spent.access_token).chat.completions.create({ model: 'tollgate/extractive', messages, max_tokens: 60_000 }), (error) => {
      assert.ok(error instanceof RateLimitError, String(error));
      assert.equal(error.code, 'quota_exceeded');
      assert.equal(error.type, 'insufficient_quota');
      return true;
    });
  });
  await t.test('an APIError with 503 when the provider is busy', async () => {
    mock.on({ userMessage: 'Provoke a 429' }, { error: { message: 'slow down', type: 'rate_limit_error' }, status: 429, retryAfter: 3 });
    for (const model of Object.values(MODELS)) {
      await assert.rejects(create({ model, messages: [{ role: 'user', content: 'Provoke a 429' }] }), (error) => {
        assert.ok(error instanceof APIError && error.status === 503, `${model}: ${error}`);
        assert.equal(error.headers.get('retry-after'), '3');
        return true;
      });
    }
  });
  await t.test('none of them a ConflictError: this API has no 409 for retries', async () => {
    await assert.rejects(create({ n: 0 }), (error) => !(error instanceof ConflictError));
  });
});

test('aimock\'s chaos: whatever breaks, the SDK sees an error or a whole answer, and errors in advance are free', async (t) => {
  t.after(() => mock.clearChaos());
  const shaken = await register(platform);
  const shakenClient = sdk(shaken.access_token);
  for (const chaos of [{ dropRate: 1 }, { malformedRate: 1 }, { disconnectRate: 1 }]) {
    mock.setChaos(chaos);
    for (const model of Object.values(MODELS)) {
      for (const stream of [false, true]) {
        await assert.rejects(
          async () => {
            const answer = await shakenClient.chat.completions.create({ model, messages, stream });
            if (stream) for await (const chunk of answer) void chunk;
          },
          (error) => {
            assert.ok(error instanceof APIError, `${JSON.stringify(chaos)} ${model} stream=${stream}: ${error}`);
            assert.ok(error.status === undefined || [502, 503].includes(error.status), `status ${error.status}`);
            return true;
          },
        );
      }
    }
  }
  mock.clearChaos();
  const { tokens } = await settledQuota(platform, shaken.access_token);
  assert.ok(tokens.used < 18 * 60, `what was not delivered was not charged: ${tokens.used}`);
  const { choices } = await shakenClient.chat.completions.create({ model: MODELS.openai, messages });
  assert.equal(choices[0].message.content, ANSWER);
});

test('what reaches the provider', async (t) => {
  const own = await withPlatform({ test: t, env: upstream.env });
  const caller = await register(own);
  const ask = async (model, more = {}) => {
    const answer = await chat(own, caller.access_token, { model, headers: { 'x-secret': 'mine', 'openai-organization': 'org-mine' }, ...more });
    return { answer, seen: upstream.seen(model.slice(model.indexOf('/') + 1)).at(-1) };
  };
  upstream.answers('claude-x', ({ json }) => json(200, { id: 'msg', type: 'message', role: 'assistant', model: 'claude-x', content: [{ type: 'text', text: 'Yes.' }], stop_reason: 'end_turn', usage: { input_tokens: 5, output_tokens: 2 } }));
  upstream.answers('gemini-x', ({ json }) => json(200, { candidates: [{ content: { parts: [{ text: 'Yes.' }], role: 'model' }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 } }));

  await t.test('OpenAI: our key, the model without its prefix, other members as they came', async () => {
    const { answer, seen } = await ask('openai/gpt-x', { temperature: 0.5, seed: 7, logit_bias: { 5: 1 }, user: 'ada@example.com' });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(seen.path, '/v1/chat/completions');
    assert.equal(seen.headers.authorization, `Bearer ${upstream.env.OPENAI_API_KEY}`);
    assert.equal(seen.body.model, 'gpt-x');
    assert.deepEqual([seen.body.temperature, seen.body.seed, seen.body.logit_bias], [0.5, 7, { 5: 1 }]);
    assert.match(seen.body.user, /^tg_[\w-]{32}$/, 'who asks is told under a pseudonym, never in the client\'s words');
    const again = await ask('openai/gpt-x');
    assert.equal(again.seen.body.user, seen.body.user, 'the same person, the same pseudonym');
  });
  await t.test('what costs apart, acts on the operator\'s account or is not known never reaches a provider', async () => {
    for (const members of [{ metadata: { a: 'b' } }, { store: true }, { service_tier: 'priority' }, { web_search_options: {} }, { a_field_of_tomorrow: [1] }]) {
      const before = upstream.seen('gpt-x').length;
      const { answer } = await ask('openai/gpt-x', members);
      assert.equal(answer.status, 422, answer.text);
      assert.equal(answer.data.errors[0].field, Object.keys(members)[0]);
      assert.equal(upstream.seen('gpt-x').length, before);
    }
  });
  await t.test('a model whose own name has slashes keeps them', async () => {
    const { seen } = await ask('openai/meta-llama/Llama-4:free');
    assert.equal(seen.body.model, 'meta-llama/Llama-4:free');
  });
  await t.test('Anthropic: its header, its version, a limit on the answer', async () => {
    const { answer, seen } = await ask('anthropic/claude-x');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(seen.path, '/v1/messages');
    assert.equal(seen.headers['x-api-key'], upstream.env.ANTHROPIC_API_KEY);
    assert.match(seen.headers['anthropic-version'], /^\d{4}-\d\d-\d\d$/);
    assert.equal(seen.headers.authorization, undefined);
    assert.ok(seen.body.max_tokens > 0);
  });
  await t.test('Gemini: its header and never the key in the address', async () => {
    const { answer, seen } = await ask('gemini/gemini-x');
    assert.equal(answer.status, 200, answer.text);
    assert.match(seen.path, /^\/v1beta\/models\/gemini-x:generateContent$/);
    assert.equal(seen.headers['x-goog-api-key'], upstream.env.GEMINI_API_KEY);
  });
  await t.test('nothing of the caller\'s: no token, no header, no address', () => {
    for (const { headers, path } of upstream.requests) {
      const text = JSON.stringify(headers) + path;
      assert.ok(!text.includes(caller.access_token));
      for (const name of ['x-secret', 'openai-organization', 'x-forwarded-for', 'cf-connecting-ip', 'cookie']) assert.equal(headers[name], undefined, name);
    }
  });
  await t.test('a stream asks the provider for its usage', async () => {
    upstream.answers('gpt-stream', ({ stream }) => stream([wire.text('Yes.'), wire.finish(), wire.usage(5, 2), wire.done()]));
    const { seen } = await ask('openai/gpt-stream', { stream: true });
    assert.equal(seen.body.stream, true);
    assert.equal(seen.body.stream_options.include_usage, true);
  });
  await t.test('the client\'s max_tokens is passed on', async () => {
    for (const [name, model, read] of [
      ['max_tokens', 'openai/gpt-x', (body) => body.max_tokens ?? body.max_completion_tokens],
      ['max_completion_tokens', 'openai/gpt-x', (body) => body.max_completion_tokens ?? body.max_tokens],
      ['max_tokens', 'anthropic/claude-x', (body) => body.max_tokens],
      ['max_tokens', 'gemini/gemini-x', (body) => body.generationConfig.maxOutputTokens],
    ]) {
      const { seen } = await ask(model, { [name]: 77 });
      assert.equal(read(seen.body), 77, `${name} to ${model}`);
    }
  });
  await t.test('with few tokens left, no request asks for more than those', async () => {
    const poor = await register(own);
    upstream.answers('gpt-dear', ({ json }) => json(200, wire.completion('Gone.', { prompt_tokens: 10, completion_tokens: 48_990, total_tokens: 49_000 })));
    assert.equal((await chat(own, poor.access_token, { model: 'openai/gpt-dear' })).status, 200);
    await settledQuota(own, poor.access_token);
    for (const [model, read] of [
      ['openai/gpt-x', (body) => body.max_completion_tokens ?? body.max_tokens],
      ['anthropic/claude-x', (body) => body.max_tokens],
      ['gemini/gemini-x', (body) => body.generationConfig?.maxOutputTokens],
    ]) {
      const answer = await chat(own, poor.access_token, { model });
      assert.equal(answer.status, 200, answer.text);
      const sent = read(upstream.seen(model.split('/')[1]).at(-1).body);
      assert.ok(sent > 0 && sent <= 1_000, `${model} was asked for ${sent} tokens with at most 1,000 left`);
      await settledQuota(own, poor.access_token);
    }
  });
  await t.test('a model without a price costs null, never 0', async () => {
    const { answer } = await ask('openai/gpt-x');
    assert.equal(answer.headers.get('x-tollgate-cost-microusd'), null, 'no header rather than a wrong one');
    const row = await logOf(own, caller.access_token, answer.headers.get('x-request-id'));
    assert.equal(row.cost_microusd, null);
    assert.ok(row.tokens > 0);
  });
});

test('a provider that is not configured does not exist', async (t) => {
  const bare = await withPlatform({ test: t, env: { OPENAI_API_KEY: 'x', OPENAI_BASE_URL: `${mock.url}/v1` } });
  const { access_token: token } = await register(bare);
  for (const model of [MODELS.anthropic, MODELS.gemini]) {
    assertProblem(await chat(bare, token, { model }), 404, 'model_not_found');
    assertProblem(await get(bare, `/v1/models/${model}`, { token }), 404, 'model_not_found');
  }
  const { data } = await get(bare, '/v1/models', { token });
  assert.deepEqual([...new Set(data.data.map(({ owned_by }) => owned_by))].sort(), ['openai', 'tollgate']);
  const { requests } = await settledQuota(bare, token);
  assert.equal(requests.used, 0);
});

test('what a provider has no equivalent for is refused before anything is charged', async () => {
  const fresh = await register(platform);
  const answer = await post(platform, '/v1/chat/completions', { model: MODELS.anthropic, messages, n: 2 }, { token: fresh.access_token });
  const problem = assertProblem(answer, 422, 'invalid_input');
  assert.equal(problem.errors[0].field, 'n');
  const { requests } = await settledQuota(platform, fresh.access_token);
  assert.equal(requests.used, 0);
});

test('nothing panicked', () => platform.assertNoPanic());
