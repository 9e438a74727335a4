// What is no text is held at a bound that is right for its kind, and what has none is refused: forty at once order no more than a
// trial has left, whatever the provider counts of them afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, chat, register } from '../harness/http.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const TRIAL_TOKENS = 50_000;

const ask = (user, model, part) => chat(platform, user.access_token, { model: `openai/${model}`, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, part] }] });

/** A document of so many pages, with a line of text on each. */
function pdf(pages, filler = 0) {
  const page = (n) => `${n} 0 obj\n<</Type/Page/Contents ${n + 1} 0 R>>\nendobj\n${n + 1} 0 obj\n<</Length 40>>\nstream\nBT (${'One line of text. '.repeat(3)}) Tj ET\nendstream\nendobj\n`;
  const image = filler ? `900 0 obj\n<</Subtype/Image/Filter/DCTDecode/Length ${filler}>>\nstream\n${'\u00ff'.repeat(filler)}\nendstream\nendobj\n` : '';
  const text = `%PDF-1.7\n${Array.from({ length: pages }, (_, n) => page(2 * n + 3)).join('')}${image}trailer <</Root 1 0 R>>\n%%EOF`;
  return { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${Buffer.from(text, 'latin1').toString('base64')}` } };
}

/** Forty at once of a part that a model counts as so many tokens; it answers all that it may. */
async function attack(t, model, part, counted) {
  const user = await register(platform);
  const gate = Promise.withResolvers();
  const before = upstream.seen(model).length;
  upstream.answers(model, async ({ seen, json }) => {
    await gate.promise;
    const answer = seen.body.max_completion_tokens ?? 128_000;
    return json(200, openai.completion('word', { prompt_tokens: counted + 20, completion_tokens: answer, total_tokens: counted + 20 + answer }));
  });
  const asked = Array.from({ length: 40 }, () => ask(user, model, part));
  setTimeout(gate.resolve, 2_500);
  const answers = await Promise.all(asked);
  const bodies = upstream.seen(model).slice(before).map(({ body }) => body);
  const ordered = bodies.reduce((sum, body) => sum + counted + 20 + (body.max_completion_tokens ?? 128_000), 0);
  const { tokens } = await settledQuota(platform, user.access_token, 30_000);
  t.diagnostic(`${bodies.length} of 40 admitted, ${ordered} tokens ordered, ${tokens.used} used of ${TRIAL_TOKENS}`);
  assert.ok(ordered <= TRIAL_TOKENS, `${ordered} ordered`);
  assert.ok(tokens.used <= TRIAL_TOKENS, `${tokens.used} used`);
  return { answers, admitted: bodies.length };
}

test('files by id are refused, and nothing is ordered', async (t) => {
  const { answers, admitted } = await attack(t, 'gpt-5', { type: 'file', file: { file_id: 'file-abc123' } }, 300_000);
  assert.equal(admitted, 0);
  for (const answer of answers) {
    assertProblem(answer, 422, 'invalid_input');
    assert.match(answer.data.detail, /messages\[0\]\.content\[1\]\.file\.file_id.*file_data/);
  }
});

for (const [what, model, part, counted, least] of [
  ['documents of eight pages', 'gpt-5', pdf(8), 8 * 910 + 8 * 12, 4],
  ['images that are elsewhere, of a model that takes them whole', 'gpt-5.6-terra', { type: 'image_url', image_url: { url: 'https://example.com/large.png' } }, 36_000, 1],
  ['images that are elsewhere', 'gpt-4o', { type: 'image_url', image_url: { url: 'https://example.com/large.png' } }, 1_445, 10],
  ['recordings at the lowest rate', 'gpt-audio', { type: 'input_audio', input_audio: { format: 'mp3', data: Buffer.alloc(200_000, 0xff).toString('base64') } }, 2_000, 8],
]) {
  test(`${what} order no more than a trial has left`, async (t) => {
    const { answers, admitted } = await attack(t, model, part, counted);
    assert.ok(admitted >= least, `${admitted} were admitted`);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertProblem(answer, 429, 'quota_exceeded');
  });
}

test('a document of a megabyte is held by its pages', async () => {
  const user = await register(platform);
  upstream.answers('gpt-4o', ({ json }) => json(200, openai.completion('Three pages.', { prompt_tokens: 3_400, completion_tokens: 4, total_tokens: 3_404 })));
  const answer = await ask(user, 'gpt-4o', pdf(3, 1_000_000));
  assert.equal(answer.status, 200, answer.text);
});

test('what cannot be counted says what to send instead', async () => {
  const user = await register(platform);
  const data = (type, text) => `data:${type};base64,${Buffer.from(text, 'latin1').toString('base64')}`;
  for (const [part, said] of [
    [{ type: 'file', file: { file_data: data('application/pdf', '%PDF-1.7\n1 0 obj\n<</Type/Page>>\nendobj\ntrailer <</Encrypt 5 0 R>>') } }, /not encrypted/],
    [{ type: 'file', file: { filename: 'a.docx', file_data: data('application/zip', 'PK\u0003\u0004\u00ff') } }, /send the text/],
    [{ type: 'file', file: { file_url: 'https://example.com/a.pdf' } }, /file_data/],
    [{ type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } }, /must be text, image_url, input_audio or file/],
  ]) {
    const answer = await ask(user, 'uncounted', part);
    assertProblem(answer, 422, 'invalid_input');
    assert.match(answer.data.detail, said);
  }
  assert.equal(upstream.seen('uncounted').length, 0);
});

test('nothing panicked', () => platform.assertNoPanic());
