import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { apiPage } from '../lib/api-page.mjs';
import { ROOT } from '../lib/paths.mjs';

const document = JSON.parse(readFileSync(join(ROOT, 'docs/openapi.json'), 'utf8'));
const page = apiPage(document);

test('every problem code has its anchor on the page, with status, title, meaning and what to do', () => {
  const codes = document.components.schemas.Code.enum;
  assert.ok(codes.length > 20);
  assert.deepEqual([...page.matchAll(/<article id="([^"]*)">/g)].map(([, id]) => id), codes);
  for (const { code, status, title, meaning, action } of document['x-problems']) {
    const [, entry] = new RegExp(`<article id="${code}">([^]*?)</article>`).exec(page);
    const text = entry.replaceAll(/<[^>]*>/g, '').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
    for (const part of [code, String(status), title, meaning, action]) assert.ok(text.includes(part.replaceAll('`', '')), `${code}: ${part}`);
  }
});

test('an anchor names one place, and every link on the page leads to one', () => {
  const ids = [...page.matchAll(/\bid="([^"]*)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, target] of page.matchAll(/href="#([^"]*)"/g)) assert.ok(ids.includes(target), target);
});

test('texts cannot become markup', () => {
  const problems = [{ code: 'a', status: 400, title: '<b>"&', meaning: 'see `<i>`', action: 'x' }];
  const html = apiPage({ 'x-problems': problems });
  assert.ok(html.includes('&lt;b&gt;&quot;&amp;') && html.includes('<code>&lt;i&gt;</code>') && !html.includes('<i>'));
});
