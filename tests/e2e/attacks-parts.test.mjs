// What cannot be counted before it is sent, forty calls as once took twelve million tokens, and then four hundred: with every kind of part,
// and with documents that a few bytes make to more than they look. Whatever the provider is asked for is summed up as it counts at most,
// and never exceeds what was left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { get_encoding } from 'tiktoken';
import { sendAlone, startTable, tally } from '../harness/attack.mjs';
import { register } from '../harness/http.mjs';
import { subscribe } from '../harness/meters.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { openai, startUpstream } from '../harness/upstream.mjs';
import { settledQuota } from '../harness/usage.mjs';

const LEFT = 50_000;
/** What each of forty calls was settled at, before. */
const ONCE = 300_016;
const QUESTION = 'What is it?';

const encoding = get_encoding('o200k_base');
const count = (text) => encoding.encode_ordinary(text).length;
const base64 = (bytes) => Buffer.from(bytes, 'latin1').toString('base64');
const file = (type, bytes, filename = undefined) => ({ type: 'file', file: { ...(filename ? { filename } : {}), file_data: `data:${type};base64,${base64(bytes)}` } });
const image = (url, detail = undefined) => ({ type: 'image_url', image_url: { url, ...(detail ? { detail } : {}) } });
const size = (...numbers) => Buffer.from(numbers.flatMap((number) => [number & 255, number >> 8])).toString('latin1');
function png(width, height) {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000000000000000802000000', 'hex');
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return `data:image/png;base64,${head.toString('base64')}`;
}
const gif = (screen, picture) => `data:image/gif;base64,${base64(`GIF89a${size(screen, screen)}\0\0\0,${size(0, 0, picture, picture)}\0`)}`;
const text = (length, alphabet) => ({ type: 'text', text: Array.from({ length }, (_, n) => alphabet[(n * 7_919 + (n >> 3) * 104_729) % alphabet.length]).join('') });

/** PDF, object by object. */
const object = (number, dictionary, stream = undefined) => `${number} 0 obj\n<<${dictionary}${stream === undefined ? '' : `/Length ${stream.length}`}>>\n${stream === undefined ? '' : `stream\n${stream}\nendstream\n`}endobj\n`;
const pdf = (...objects) => file('application/pdf', `%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n${objects.join('')}trailer <</Root 1 0 R>>\n%%EOF`, 'a.pdf');
const kids = (count) => `[${'3 0 R '.repeat(count)}]`;
const LINE = 'The toll is paid at the gate. ';
const shows = (times = 1) => `BT /F 12 Tf (${LINE.repeat(times)}) Tj ET `;
const page = '/Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R/ET 5 0 R>>/XObject<</X 6 0 R>>>>';
const onePage = object(2, `/Type/Pages/Count 1/Kids${kids(1)}`) + object(3, page);
/** Of OpenAI's tiled models: a page, as an image. */
const PAGE = 910;
const lines = (times) => count(LINE) * times;

const REFUSED = {
  'a file by id': { type: 'file', file: { file_id: 'file-abc123' } },
  'a file by address': { type: 'file', file: { file_url: 'https://example.com/a.pdf' } },
  'a packed document': file('application/zip', 'PK\u0003\u0004\u00ff', 'a.docx'),
  'an encrypted PDF': pdf(onePage, object(4, '', shows()), 'trailer <</Encrypt 5 0 R>>'),
  'a PDF that is packed otherwise': pdf(onePage, object(4, '/Filter/LZWDecode', 'x')),
  'a PDF that unpacks to 64 MB': pdf(onePage, object(4, '/Filter/FlateDecode', deflateSync(Buffer.alloc(64 << 20, 32)).toString('latin1'))),
  'a PDF whose letters are texts': pdf(onePage, object(4, '', shows(10)), object(5, '/ToUnicode 20 0 R'), object(20, '', `1 beginbfchar <54> <${'0048'.repeat(200)}> endbfchar`)),
  'a PDF that draws itself': pdf(onePage, object(4, '', '/X Do'), object(6, '/Subtype/Form/Resources<</XObject<</X 6 0 R>>>>', `/X Do ${shows()}`)),
  'a video': { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } },
  'audio by address': { type: 'input_audio', input_audio: { url: 'https://example.com/a.mp3', format: 'mp3' } },
};
/** Of what is taken: which model, the part, and what the provider counts of it at most, by its own rules. */
const TAKEN = {
  'an image elsewhere': ['gpt-4o', image('https://example.com/large.png'), 1_445],
  'an image elsewhere, in low detail': ['gpt-4o', image('https://example.com/large.png', 'low'), 85],
  'an image elsewhere, of a model that takes it whole': ['gpt-5.6-terra', image('https://example.com/large.png'), 36_000],
  'an image of 4,096 by 4,096': ['gpt-4o', image(png(4_096, 4_096)), 765],
  'an image of 60,000 by 60,000, taken whole': ['gpt-5.6-terra', image(png(60_000, 60_000)), 36_000],
  'an image of 5,000 by 5,000 on a screen of one point': ['gpt-5.5', image(gif(1, 5_000)), 12_000],
  'ten images in one message': ['gpt-4o', Array.from({ length: 10 }, () => image('https://example.com/large.png')), 14_450],
  'a PDF of eight pages': ['gpt-5', pdf(object(2, `/Type/Pages/Kids${kids(8)}`), object(3, page), object(4, '', shows())), 8 * PAGE + lines(8)],
  'a PDF whose pages stand elsewhere': ['gpt-5', pdf(object(2, '/Type/Pages/Kids 9 0 R'), `9 0 obj ${kids(8)} endobj\n`, object(3, page), object(4, '', shows())), 8 * PAGE + lines(8)],
  'a PDF that draws a form a thousand times': ['gpt-5', pdf(onePage, object(4, '', '/X Do '.repeat(1_000)), object(6, '/Subtype/Form', shows())), PAGE + lines(1_000)],
  'a PDF that draws forms in forms': ['gpt-5', pdf(onePage, object(4, '', '/X Do '.repeat(32)), object(6, '/Subtype/Form/Resources<</XObject<</X 7 0 R>>>>', '/X Do '.repeat(32)), object(7, '/Subtype/Form', shows())), PAGE + lines(1_024)],
  'a PDF that shows a content again and again': ['gpt-5', pdf(object(2, `/Type/Pages/Kids${kids(1)}`), object(3, `/Type/Page/Contents[${'4 0 R '.repeat(100)}]`), object(4, '', shows(10))), PAGE + lines(1_000)],
  'a PDF with a font called ET': ['gpt-5', pdf(onePage, object(4, '', shows(1_000).replace('/F ', '/ET '))), PAGE + lines(1_000)],
  'a PDF with text in what looks like an image': ['gpt-5', pdf(onePage, object(4, '/Subtype/Image', shows(1_000))), PAGE + lines(1_000)],
  'a recording of 30 s at the lowest rate': ['gpt-audio', { type: 'input_audio', input_audio: { format: 'mp3', data: base64('\u00ff'.repeat(30_000)) } }, 300],
  'hexadecimal text': ['gpt-4o', text(8_000, '0123456789abcdef')],
  'base64 text': ['gpt-4o', text(8_000, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')],
  'base64 text in a file': ['gpt-5', (({ text: inside }) => file('text/plain', inside))(text(8_000, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'))],
};

const upstream = await startUpstream();
const platform = await withPlatform({ env: upstream.env });
const users = [];
for (let n = 0; n < 2 * (Object.keys(REFUSED).length + Object.keys(TAKEN).length); n++) users.push(await register(platform));
// As many tokens as a trial has, and as many requests as there may be.
await platform.restart({ whileStopped: () => subscribe(platform.stateDir, users.map(({ user }) => ({ user, limits: { requests: { hard: 100_000 }, tokens: { hard: LEFT } } }))) });

const table = startTable('part', 'calls', 'asked of the provider', 'tokens ordered', 'of', 'used', 'answers');
const ordered = (body) => body.max_completion_tokens ?? body.max_tokens ?? 128_000;
/**
 * So many calls: forty at once, none of which is answered before all were asked, and the others in their wake, so that what is settled is
 * asked for again. What the provider counts is settled.
 */
async function attack(name, number, calls, model, part, counted) {
  const user = users.pop();
  const gate = Promise.withResolvers();
  const asked = [];
  const [mine, done] = [`${model}-${number}-${calls}`, []];
  const news = () => asked.length + done.length === 40 && gate.resolve();
  upstream.answers(mine, async ({ seen, json }) => {
    const prompt = counted + count(QUESTION) + 7;
    asked.push({ prompt, answer: ordered(seen.body) });
    news();
    await gate.promise;
    return json(200, openai.completion('word', { prompt_tokens: prompt, completion_tokens: ordered(seen.body), total_tokens: prompt + ordered(seen.body) }));
  });
  const parts = [{ type: 'text', text: QUESTION }, part].flat();
  const one = async () => {
    const answer = await sendAlone(platform, user.access_token, JSON.stringify({ model: `openai/${mine}`, messages: [{ role: 'user', content: parts }] }));
    if (answer.status !== 200) done.push(answer);
    news();
    return answer;
  };
  const answers = await Promise.all(Array.from({ length: 40 }, one));
  while (answers.length < calls) answers.push(...(await Promise.all(Array.from({ length: 40 }, one))));
  const { tokens } = await settledQuota(platform, user.access_token, 30_000);
  const sum = asked.reduce((total, { prompt, answer }) => total + prompt + answer, 0);
  table.row(name, calls, asked.length, sum, LEFT, tokens.used, tally(answers.map(({ status, data }) => (data?.code ? `${status} ${data.code}` : status))));
  return { asked, answers, sum, used: tokens.used };
}

for (const [number, [name, part]] of Object.entries(REFUSED).entries()) {
  test(`${name}: nothing is asked of the provider, in 40 calls and in 400`, async () => {
    for (const calls of [40, 400]) {
      const { asked, answers, used } = await attack(name, number, calls, 'gpt-5-refused', part, ONCE);
      assert.deepEqual([asked.length, used], [0, 0]);
      for (const { status, data } of answers) assert.deepEqual([status, data.code], [422, 'invalid_input']);
    }
  });
}

for (const [number, [name, [model, part, most]]] of Object.entries(TAKEN).entries()) {
  test(`${name}: no more is ordered than is left, in 40 calls and in 400`, async () => {
    const inside = part.type === 'file' ? Buffer.from(part.file.file_data.split(',')[1], 'base64').toString() : part.text;
    const counted = most ?? count(inside);
    for (const calls of [40, 400]) {
      const { asked, answers, sum, used } = await attack(name, number, calls, model, part, counted);
      // A tokenizer is estimated to a tenth; everything else has a bound.
      const error = most === undefined ? asked.reduce((total, { prompt }) => total + prompt * 0.1, 0) : 0;
      assert.ok(sum <= LEFT + error, `${sum} ordered of ${LEFT}`);
      assert.ok(used <= LEFT + error, `${used} used of ${LEFT}`);
      assert.ok(asked.length >= 1, 'one that fits is asked');
      for (const { status, data } of answers) assert.ok(status === 200 || data.code === 'quota_exceeded', `${status} ${data?.detail}`);
    }
  });
}

test('nothing panicked', (t) => {
  table.print(t);
  platform.assertNoPanic();
});
