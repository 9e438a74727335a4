// The benchmark: starts every row's server, measures them in turn, prints the table. README.md tells the method.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { buildFunctions } from '../../tools/build.mjs';
import { cpuIsReadable, machineBusyMs, treeCpuMs } from './cpu.mjs';
import { durableWriteMs } from './disk.mjs';
import { load, wireRequest } from './load.mjs';
import { CONNECTIONS, MANY_CONNECTIONS, readOptions } from './options.mjs';
import { installPackages } from './packages.mjs';
import { RowProcess } from './row-process.mjs';
import { COMPLETION } from './rows/upstream.mjs';
import { functionSizes, startupTimes } from './startup.mjs';
import { renderFunctions, renderGoals, renderRows, summarise } from './table.mjs';

const LEAD_IN_MS = 400; // each row comes back from a pause: caches and connections get this long, unmeasured
// What waking so many objects at once brings about (each copies its counters after two seconds) is over by then; and
// they are still awake.
const WOKEN_MS = 4_000;
// Objects that were busy copy their counters again a minute later: not into the next round's measurements.
const QUIET_MS = 65_000;
const DRAIN_MS = 200; // work after the answer (waitUntil) belongs to the request that caused it
const PROMPT = [
  { role: 'system', content: 'You are a helpful assistant. Answer in one sentence.' },
  { role: 'user', content: 'What is the capital of France?' },
];

const say = (text) => process.stderr.write(`${text}\n`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const running = [];
let stopping = null;

/** Stops every server, whatever state it is in. Once: a second Ctrl-C does not start it again. */
function stopAll() {
  stopping ??= Promise.allSettled(running.map((row) => row.stop()));
  return stopping;
}

async function startRow(row, context) {
  const started = performance.now();
  const { prepare } = await import(`./rows/${row.module}.mjs`);
  await prepare?.(row);
  const stateDir = join(context.stateRoot, row.id);
  await mkdir(stateDir, { recursive: true });
  if (stopping) throw new Error('stopped');
  const server = new RowProcess(row, { ...context, checkout: row.checkout, stateDir }, (text) => say(`  ${row.id}: ${text}`));
  running.push(server);
  const ready = await server.ready;
  say(`  ${row.id}: ready after ${seconds(started)}`);
  return { ...row, ...ready, server };
}

/** The bytes a client sends: one request a user. */
function requestsOf(row, tokens) {
  const body = JSON.stringify({ model: row.model, messages: PROMPT });
  return tokens.map((token) =>
    wireRequest({
      url: `${row.url}${row.path}`,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...row.headers },
      body,
    }),
  );
}

/** One request read in full: does the row do what it is measured for? */
async function checkAnswer(row) {
  const [token] = await row.server.call('tokens');
  const answer = await fetch(`${row.url}${row.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...row.headers },
    body: JSON.stringify({ model: row.model, messages: PROMPT }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`answered ${answer.status}: ${text.slice(0, 300)}`);
  if (row.id === 'hello') return;
  const { choices, usage } = JSON.parse(text);
  if (choices?.[0]?.message?.content !== COMPLETION.choices[0].message.content || usage?.total_tokens !== COMPLETION.usage.total_tokens)
    throw new Error(`answered something else than the upstream: ${text.slice(0, 300)}`);
}

async function measure({ row, connections, many }, { upstream, durationMs, stateRoot }) {
  const tokens = await row.server.call('tokens');
  const requests = requestsOf(row, many ? tokens : tokens.slice(0, 1));
  // Over many users every object is woken first: workerd puts an idle one to sleep after ten seconds, and which share of a
  // measurement would meet sleeping ones must not depend on how fast the row is.
  const leadIn = await load({ url: row.url, requests, connections, ...(many ? { count: requests.length } : { durationMs: LEAD_IN_MS }) });
  await pause(many ? WOKEN_MS : DRAIN_MS);
  const diskMs = durableWriteMs(stateRoot);

  const before = {
    row: treeCpuMs(row.server.pid),
    machine: machineBusyMs(),
    self: process.cpuUsage(),
    upstream: treeCpuMs(upstream.server.pid),
  };
  const reached = await upstream.server.call('answered');
  const started = performance.now();
  const result = await load({ url: row.url, requests, connections, durationMs });
  await pause(DRAIN_MS);
  const elapsed = performance.now() - started;
  const cpuMs = treeCpuMs(row.server.pid) - before.row;
  const self = process.cpuUsage(before.self);
  const selfMs = (self.user + self.system) / 1000;
  const upstreamMs = row === upstream ? 0 : treeCpuMs(upstream.server.pid) - before.upstream;
  const machineMs = machineBusyMs() - before.machine;
  const forwarded = (await upstream.server.call('answered')) - reached;

  // A row that answers without asking the upstream has not done the work.
  const expected = row.id === 'hello' ? 0 : result.answered;
  if (forwarded < expected) {
    result.errors += expected - forwarded;
    result.failures['answered without the upstream'] = expected - forwarded;
  }
  return {
    ...result,
    // Requests are taken in turn, so this many were the first user's.
    byFirstUser: [leadIn, result].reduce((sum, { answered }) => sum + Math.ceil(answered / requests.length), 0),
    diskMs,
    cpuMsPerRequest: cpuMs / result.answered,
    generatorMsPerRequest: selfMs / result.answered,
    upstreamMsPerRequest: upstreamMs / result.answered,
    // In cores: what ran on this machine meanwhile and was none of ours.
    othersCores: Math.max(0, machineMs - cpuMs - selfMs - upstreamMs) / elapsed,
  };
}

/** Everything that is measured in one round; rows with the same connection count stand side by side, so that noise meets them alike. */
function cellsOf(rows) {
  const single = CONNECTIONS.flatMap((connections) =>
    rows.filter((row) => !row.connections || row.connections.includes(connections)).map((row) => ({ row, connections, many: false })),
  );
  const many = rows.filter((row) => row.many).map((row) => ({ row, connections: MANY_CONNECTIONS, many: true }));
  return [...single, ...many];
}

const keyOf = ({ row, connections, many }) => `${row.id}/${connections}${many ? '/many' : ''}`;

async function run(options) {
  const began = performance.now();
  const stateRoot = await mkdtemp(join(options.state ?? tmpdir(), 'tollgate-bench-'));
  try {
    await installPackages();
    await build(options);
    const functions = await functionSizes();
    if (options.startup && functions.length) say('start-up time of each function');
    const startup = options.startup ? await startupTimes(functions, { stateRoot, repeats: options.quick ? 3 : 5 }) : null;

    say('starting the servers');
    const skipped = new Map();
    const rows = [];
    let upstream;
    for (const definition of options.rows) {
      if (stopping) return 130;
      try {
        const row = await startRow(definition, { upstream: upstream?.url, stateRoot, users: options.users });
        await checkAnswer(row);
        rows.push(row);
        upstream ??= row;
      } catch (error) {
        if (stopping) return 130;
        if (definition.id === 'direct') throw error;
        skipped.set(definition.id, error.message.split('\n')[0]);
        say(`  ${definition.id}: not measured: ${error.message}`);
        await running.find(({ id }) => id === definition.id)?.stop();
      }
    }

    say('warming up');
    const answeredByOne = new Map();
    for (const row of rows) {
      const [token] = await row.server.call('tokens');
      await load({ url: row.url, requests: requestsOf(row, [token]), connections: 8, durationMs: options.quick ? 500 : 1500 });
      if (row.counts) answeredByOne.set(row.id, { atStart: await settledCount(row), sent: 0 });
    }
    const idle = await idleLoad(rows);

    const cells = cellsOf(rows);
    const rounds = new Map(cells.map((cell) => [keyOf(cell), []]));
    for (let round = 0; round < options.rounds; round += 1) {
      say(`round ${round + 1} of ${options.rounds} (${cells.length} measurements, ${seconds(began)} so far)`);
      for (const cell of cells) {
        if (stopping) return 130;
        const figures = await measure(cell, { upstream, stateRoot, durationMs: options.seconds * 1000 });
        rounds.get(keyOf(cell)).push(figures);
        if (cell.row.counts) answeredByOne.get(cell.row.id).sent += figures.byFirstUser;
        if (figures.errors) say(`  ${keyOf(cell)}: ${figures.errors} errors ${JSON.stringify(figures.failures)}`);
      }
      if (cells.at(-1).many && round + 1 < options.rounds && !options.quick) await pause(QUIET_MS);
    }

    const metered = {};
    for (const row of rows.filter(({ counts }) => counts)) {
      const { atStart, sent } = answeredByOne.get(row.id);
      metered[row.id] = { answered: sent, counted: (await settledCount(row)) - atStart };
    }
    await stopAll();

    const figures = summarise(rounds);
    const context = { options, rows, skipped, figures, functions, startup, idle, metered };
    console.log(renderRows(context));
    console.log(renderGoals(context));
    console.log(renderFunctions(context));
    say(`\n${seconds(began)} in all`);

    if (options.json) {
      await writeFile(
        resolve(process.env.INIT_CWD ?? process.cwd(), options.json),
        `${JSON.stringify(
          {
            at: new Date().toISOString(),
            machine: {
              cpu: cpus()[0]?.model,
              cores: availableParallelism(),
              memory: totalmem(),
              platform: process.platform,
              node: process.version,
            },
            options: { users: options.users, rounds: options.rounds, seconds: options.seconds },
            skipped: Object.fromEntries(skipped),
            median: Object.fromEntries(figures),
            rounds: Object.fromEntries(rounds),
            idleCores: idle,
            metered,
            functions,
            startup,
          },
          null,
          2,
        )}\n`,
      );
      say(`figures of every round: ${options.json}`);
    }
    // Without Tollgate, or with errors, there is nothing to claim.
    const failed = skipped.has('tollgate') || [...figures.values()].some(({ errors }) => errors);
    return failed ? 1 : 0;
  } catch (error) {
    if (stopping) return 130; // what fails while its servers go away failed for that reason
    throw error;
  } finally {
    await stopAll();
    await rm(stateRoot, { recursive: true, force: true });
  }
}

/** A build that fails costs Tollgate its rows, not the others theirs. */
async function build({ rows, startup }) {
  if (process.env.TOLLGATE_SKIP_BUILD === '1' || !(startup || rows.some(({ id }) => id === 'tollgate'))) return;
  try {
    await buildFunctions();
  } catch (error) {
    say(`The functions cannot be built: ${error.message}`);
  }
}

/** The first user's settled requests, once the last settle has arrived (it comes after the answer). */
async function settledCount(row) {
  let last = -1;
  for (;;) {
    const now = await row.server.call('counted');
    if (now === last) return now;
    last = now;
    await pause(300);
  }
}

/** What each server burns while nobody calls it, in cores: it would be taken from the rows measured meanwhile. */
async function idleLoad(rows) {
  if (!cpuIsReadable) return {};
  const before = rows.map((row) => treeCpuMs(row.server.pid));
  await pause(1500);
  return Object.fromEntries(rows.map((row, at) => [row.id, (treeCpuMs(row.server.pid) - before[at]) / 1500]));
}

async function interrupted() {
  if (stopping) return;
  say('\nstopping');
  await stopAll();
}

/** Runs the benchmark; returns the exit code. */
export async function bench(argv) {
  const options = readOptions(argv);
  if (!options) return 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupted);
  return run(options);
}
