// Whoever adds a route that calls another server or writes a mail has to say how often that may be done: this reads the sources.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;

/** What a handler says when it calls out or mails. */
const CALLS_OUT = /\bStripe::of\(|\bmail::send\(|\bmailed::(?:try_token|send_token|tell|welcome)\(|\btold::user\(|\bopenid::\w+\(|\bconfigured\.asking\(|\bis_proven\(|\boutgoing::|\bbreached\b|\bcheck_not_breached\(/;
/** What it says when it asks first. */
const ASKS_FIRST = /\bguard::admit\(/;
/** Those that are bounded by something else, each with what that is. */
const OTHERWISE = {
  'functions/auth/src/login.rs': 'the guard of sign-ins counts every attempt',
  'functions/auth/src/reset_password.rs': 'takes a token of a mail that was counted, good once',
  'functions/auth/src/verify_email.rs verify': 'takes a token of a mail that was counted, good once',
  'functions/oauth/src/callback.rs': 'takes the state of a sign-in that was counted, good once',
  'functions/sso/src/callback.rs': 'takes the state of a sign-in that was counted, good once',
  'functions/chat/src/handler.rs': 'the meter holds and counts every request',
  'functions/credentials/src/recovery_codes.rs': 'takes a code, good once; the guard counts every attempt',
  'functions/stripe-webhook/src/receive.rs': 'takes what Stripe has signed',
  'functions/stripe-webhook/src/events.rs': 'an operator asks',
  'functions/notify/src/admin_mails.rs': 'an operator asks',
  'functions/cron/src/admin_jobs.rs': 'an operator asks',
};

/** Every handler: its file, its name, and its text with that of the functions in its file that it calls. */
function handlers() {
  const found = [];
  for (const name of readdirSync(join(root, 'functions'))) {
    const folder = join(root, 'functions', name, 'src');
    for (const entry of readdirSync(folder, { recursive: true })) {
      if (!String(entry).endsWith('.rs')) continue;
      const text = readFileSync(join(folder, String(entry)), 'utf8').split('#[cfg(test)]')[0];
      const items = new Map();
      for (const item of text.split(/^(?=(?:pub(?:\([\w ]+\))? )?(?:const )?(?:async )?fn )/m).slice(1)) items.set(/fn (\w+)/.exec(item)[1], item.split(/^}$/m)[0]);
      for (const [, handler] of text.matchAll(/#\[utoipa::path\([\s\S]*?pub async fn (\w+)/g)) {
        const reached = new Set([handler]);
        for (const one of reached) for (const other of items.keys()) if (new RegExp(`\\b${other}\\(`).test(items.get(one))) reached.add(other);
        found.push({ file: `functions/${name}/src/${entry}`, name: handler, text: [...reached].map((one) => items.get(one)).join('\n') });
      }
    }
  }
  return found;
}

test('a route that calls out or mails asks first how often it may', () => {
  const all = handlers();
  assert.ok(all.length > 60, `${all.length} handlers were found`);
  const out = all.filter(({ text }) => CALLS_OUT.test(text));
  assert.ok(out.length >= 15, `${out.length} of them call out`);
  const unasked = out.filter(({ file, name, text }) => !ASKS_FIRST.test(text) && !(file in OTHERWISE) && !(`${file} ${name}` in OTHERWISE));
  assert.deepEqual(unasked.map(({ file, name }) => `${file} ${name}`), []);
});

test('what is counted is asked for somewhere', () => {
  const table = readFileSync(join(root, 'shared/domain/src/outgoing_rates.rs'), 'utf8');
  const kinds = [...table.split('pub const ALL')[1].split('];')[0].matchAll(/Self::(\w+),/g)].map(([, kind]) => kind);
  assert.ok(kinds.length >= 11);
  const asked = handlers().map(({ text }) => text).join('\n');
  for (const kind of kinds) assert.match(asked, new RegExp(`Outgoing::${kind}\\b`), `nothing asks for ${kind}`);
});
