// A state folder of an older release is taken over: nobody loses a plan, a key or what is left of a quota.
//
// The older checkout's platform is filled with people (people.mjs) and stopped in the middle of its work. Then both platforms are
// started, each on a copy of what it left, and the same questions are asked: at once, and twenty minutes later after every job
// has run. Each answer has to be the same, or one that the person's entry expects, with the reason. In the end people go on in
// the new platform: they pay, upgrade, confirm.
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { missingBuilds } from '../../tools/build.mjs';
import { ROOT } from '../../tools/lib/paths.mjs';
import { dim, Failure, green, red, say } from '../../tools/lib/report.mjs';
import { startGitHub } from '../harness/github.mjs';
import { post } from '../harness/http.mjs';
import { freePort } from '../../tools/lib/free-port.mjs';
import { withPlatform } from '../harness/platform.mjs';
import { startStripe } from '../harness/stripe-front.mjs';
import { subscriptionsOf } from '../harness/subscriptions.mjs';
import { startUpstream } from '../harness/upstream.mjs';
import { people, reads, standIns, uses } from './people.mjs';

const HELP = `npm run takeover -- <checkout> [--shards <count>] [--keep]

Fills the platform of an older checkout of this repository (npm ci and npm run build there first), hands its state to this
one, and compares what everybody is answered before and after. Takes a few minutes. With --shards everybody is on the last of
so many databases. --keep leaves the state where it is.`;

const OPERATOR = 'op_0123456789abcdef0123456789';
const DAY_SECONDS = 86_400;
/** Longer than a reservation stands. */
const LATER_SECONDS = 20 * 60;
const JOBS = ['sweep_billing', 'reconcile_billing', 'report_overage', 'roll_up_usage', 'rebuild_usage', 'rewrap_data_keys', 'remind_trials', 'usage_statements', 'delete_users', 'settle_arrivals', 'clean_up'];

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
export async function takeover(args) {
  const { values, positionals } = parseArgs({ args, options: { shards: { type: 'string', default: '1' }, keep: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }, allowPositionals: true });
  if (values.help) return say(HELP), 0;
  const older = checkoutAt(positionals);
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-takeover-'));
  const stops = [];
  try {
    const world = await startWorld(older, folder, Number(values.shards), stops);
    const named = await fill(world);
    const rounds = [
      { name: 'at once', env: {} },
      { name: 'twenty minutes later, after every job', env: { CLOCK_OFFSET_SECONDS: String(LATER_SECONDS) }, jobs: JOBS },
    ];
    let failures = 0;
    for (const round of rounds) {
      say(`\n${round.name}:`);
      const before = await world.on(older, round, (at) => askAll(at, named));
      const after = await world.on(ROOT, round, (at) => askAll(at, named));
      failures += compare(named, before, after);
    }
    say('\nand they go on:');
    failures += await world.on(ROOT, { env: {} }, (at) => goOn(at, named));
    say(failures ? red(`\n${failures} answers are not as they were, nor as they should be`) : green('\nnobody lost anything'));
    return failures ? 1 : 0;
  } finally {
    for (const stop of stops.reverse()) await stop();
    if (values.keep) say(`the state is in ${folder}`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function checkoutAt([path, ...more]) {
  if (!path || more.length > 0) throw new Failure('one older checkout has to be named', HELP);
  const older = resolve(path);
  if (!existsSync(join(older, 'node_modules'))) throw new Failure(`${older} is not set up`, 'npm ci there first.');
  for (const root of [older, ROOT]) {
    const missing = missingBuilds({ root });
    if (missing.length > 0) throw new Failure(`not built in ${root}: ${missing.join(', ')}`, 'npm run build there first.');
  }
  return older;
}

/** Whoever the platform talks with, and how it is started: at one address, which its tokens name. */
async function startWorld(older, folder, shards, stops) {
  const port = await freePort();
  const [stripe, upstream] = [await startStripe(), await startUpstream()];
  const github = await startGitHub({ clientId: 'gh', clientSecret: 'gh secret', redirectUri: () => `http://127.0.0.1:${port}/auth/oauth/github/callback` });
  stops.push(stripe.stop, upstream.stop, github.stop);
  standIns(upstream);
  const env = {
    ...stripe.env, ...upstream.env, OPERATOR_TOKEN: OPERATOR, D1_SHARDS: String(shards), NEW_TENANT_SHARDS: String(shards - 1), TRIALS_NEED_CONFIRMED_EMAIL: 'true',
    GITHUB_CLIENT_ID: 'gh', GITHUB_CLIENT_SECRET: 'gh secret', GITHUB_BASE_URL: github.url, GITHUB_API_BASE_URL: `${github.url}/api`,
  };
  const left = join(folder, 'left');
  const start = async (checkout, stateDir, more) => {
    const platform = await withPlatform({ checkout, stateDir, port, env: { ...env, ...more } });
    stops.push(platform.stop);
    const aheadSeconds = Number(more.CLOCK_OFFSET_SECONDS ?? 0);
    return { platform, stripe, upstream, github, aheadSeconds, ...subscriptionsOf(platform, OPERATOR, stripe) };
  };
  let copies = 0;
  return {
    fill: (more) => start(older, left, more),
    /** Works on a platform that is started on a copy of what the older one has left. */
    async on(checkout, { env: more, jobs = [] }, work) {
      const copy = join(folder, `copy-${++copies}`);
      cpSync(left, copy, { recursive: true });
      const at = await start(checkout, copy, more);
      for (const cron of jobs) {
        const { status, text } = await post(at.platform, '/__dev/cron', { cron });
        if (status !== 200) throw new Error(`the job ${cron} answers ${status}: ${text}`);
      }
      const result = await work(at);
      at.platform.assertNoPanic();
      await at.platform.stop();
      return result;
    },
  };
}

/** Everybody comes to the older platform: some a while ago. */
async function fill(world) {
  const at = await world.fill({ CLOCK_OFFSET_SECONDS: String(-8 * DAY_SECONDS) });
  await at.stripe.pushCatalogue(at.platform);
  const named = people.map((person) => ({ person }));
  const come = async (early) => {
    for (const entry of named.filter(({ person }) => Boolean(person.early) === early)) {
      try {
        entry.who = await entry.person.comes(at);
      } catch (cause) {
        say(red(`the older platform does not take in ${entry.person.name}`));
        throw cause;
      }
    }
  };
  await come(true);
  await at.platform.restart({ env: { CLOCK_OFFSET_SECONDS: '0' } });
  await come(false);
  await at.nothingWaits();
  at.platform.assertNoPanic();
  await at.platform.stop();
  say(`${named.length} people came: ${named.map(({ person }) => person.name).join('; ')}`);
  return named;
}

async function askAll(at, named) {
  const told = [];
  for (const { who } of named) told.push(await reads(at, who));
  for (const [n, { person, who }] of named.entries()) Object.assign(told[n], await uses(at, who), await person.asks?.(at, who));
  return told;
}

/** Prints what differs; answers how much of it nobody expects. */
function compare(named, before, after) {
  let failures = 0;
  named.forEach(({ person }, n) => {
    const [was, is] = [before[n], after[n]];
    const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((what) => !isDeepStrictEqual(was[what], is[what]));
    const lines = changed.map((what) => {
      const reason = person.changes?.find((change) => change.what === what && change.fits(was[what], is[what]))?.why;
      if (!reason) failures += 1;
      return `     ${reason ? 'now' : red('lost?')} ${what}: ${JSON.stringify(was[what])} -> ${JSON.stringify(is[what])}${reason ? dim(` (${reason})`) : ''}`;
    });
    say([`   ${person.name}: ${Object.keys(was).length} answers, ${changed.length || 'none'} changed`, ...lines].join('\n'));
  });
  return failures;
}

async function goOn(at, named) {
  let failures = 0;
  for (const { person, who } of named.filter(({ person }) => person.goesOn)) {
    try {
      await person.goesOn(at, who);
      say(`   ${person.name}: ${person.then}`);
    } catch (error) {
      failures += 1;
      say(`   ${red('failed')} ${person.name}: ${person.then}\n${error.stack}`.trimEnd());
    }
  }
  return failures;
}
