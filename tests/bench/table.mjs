// From figures to what is printed: medians, ratios, goals.
import { cpuIsReadable } from './cpu.mjs';
import { median } from './load.mjs';
import { AGAINST, CONNECTIONS, MANY_CONNECTIONS, ROWS } from './options.mjs';

const AT = 8; // connections at which rows are compared and the goals hold
const BUSY_CORES = 0.15; // more than this of somebody else's work makes the figures doubtful
const IDLE_CORES = 0.02;
const SLOW_DISK_MS = 1;

const MEASURES = ['rps', 'p50', 'p99', 'cpuMsPerRequest', 'generatorMsPerRequest', 'upstreamMsPerRequest', 'othersCores', 'diskMs'];

/** One set of figures a cell: the median of its rounds; errors are summed, never averaged away. */
export function summarise(rounds) {
  return new Map(
    [...rounds].map(([key, list]) => {
      const cell = Object.fromEntries(MEASURES.map((name) => [name, median(list.map((figures) => figures[name]))]));
      const rates = list.map(({ rps }) => rps);
      cell.spread = (Math.max(...rates) - Math.min(...rates)) / cell.rps;
      cell.answered = list.reduce((sum, { answered }) => sum + answered, 0);
      cell.errors = list.reduce((sum, { errors }) => sum + errors, 0);
      cell.rounds = list;
      return [key, cell];
    }),
  );
}

function decimals(value) {
  if (value >= 100) return 0;
  return value >= 10 ? 1 : 2;
}
const fixed = (value) => (Number.isFinite(value) ? value.toFixed(decimals(Math.abs(value))) : 'n/a');
const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(0)} %` : 'n/a');

function renderTable(head, body) {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column].length)));
  const line = (cells) =>
    cells
      .map((cell, column) => (column === 0 || column === head.length - 1 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

export function renderRows({ options, rows, skipped, figures, idle, metered }) {
  const head = ['', 'req/s', 'spread', 'p50 ms', 'p99 ms', 'p99 over direct', 'CPU ms/req', 'errors', ''];
  const blocks = CONNECTIONS.map((connections) => {
    const direct = figures.get(`direct/${connections}`);
    const lines = [];
    const add = (title, cell, note, isDirect) =>
      lines.push([
        title,
        fixed(cell.rps),
        options.rounds > 1 ? percent(cell.spread) : '-',
        fixed(cell.p50),
        fixed(cell.p99),
        isDirect ? '-' : fixed(cell.p99 - direct.p99),
        cpuIsReadable ? fixed(cell.cpuMsPerRequest) : 'n/a',
        String(cell.errors),
        cell.errors ? `ERRORS: not comparable. ${note}` : note,
      ]);
    for (const row of [...ROWS, AGAINST]) {
      const running = rows.find(({ id }) => id === row.id);
      const one = figures.get(`${row.id}/${connections}`);
      const many = figures.get(`${row.id}/${connections}/many`);
      if (one) add(row.many ? `${row.title}, one user` : row.title, one, row.note, row.id === 'direct');
      if (many) add(`${row.title}, ${options.users} users`, many, row.note, false);
      if (!running && skipped.has(row.id))
        lines.push([row.title, '-', '-', '-', '-', '-', '-', '-', `not measured: ${skipped.get(row.id)}`]);
    }
    return `${connections} connection${connections === 1 ? '' : 's'}\n${renderTable(head, lines)}`;
  });

  const remarks = [];
  const generator = median([...figures.values()].map((cell) => cell.generatorMsPerRequest));
  const stub = median([...figures].filter(([key]) => !/^(direct|hello)\//.test(key)).map(([, cell]) => cell.upstreamMsPerRequest));
  if (cpuIsReadable)
    remarks.push(
      `A request costs the load generator ${fixed(generator)} ms and the upstream stub ${fixed(stub)} ms of CPU on the same cores, in every row.`,
    );
  const others = Math.max(...[...figures.values()].map((cell) => cell.othersCores));
  if (others > BUSY_CORES)
    remarks.push(
      `WARNING: other work took up to ${fixed(others)} cores of this machine meanwhile; the figures are not those of a quiet machine.`,
    );
  const disk = [...figures.values()].flatMap((cell) => cell.rounds.map(({ diskMs }) => diskMs));
  const slow = median(disk) > SLOW_DISK_MS ? 'WARNING: a' : 'A';
  remarks.push(
    `${slow} durable 4 kB write took this disk ${fixed(median(disk))} ms (median), ${fixed(Math.max(...disk))} ms at worst; rows with objects wait for it.`,
  );
  for (const [id, cores] of Object.entries(idle))
    if (cores > IDLE_CORES) remarks.push(`WARNING: ${id} uses ${percent(cores)} of a core while idle, taken from the others.`);
  for (const [id, { answered, counted }] of Object.entries(metered)) {
    const verdict = answered === counted ? 'each of them' : `WARNING: ${counted}`;
    remarks.push(`${id}: ${answered} requests of its first user were answered, ${verdict} is settled in the ledger.`);
  }
  return `\n${blocks.join('\n\n')}\n\n${remarks.join('\n')}`;
}

/** The median of the rounds' ratios: rows of one round ran within seconds of each other, rounds may be minutes apart. */
function ratio(figures, [mine, theirs], measure) {
  const a = figures.get(mine);
  const b = figures.get(theirs);
  if (!a || !b) return { missing: true };
  if (a.errors || b.errors) return { errors: true };
  return { value: median(a.rounds.map((round, at) => round[measure] / b.rounds[at][measure])) };
}

export function renderGoals({ options, figures }) {
  const one = (id) => `${id}/${AT}`;
  const many = (id) => `${id}/${MANY_CONNECTIONS}/many`;
  const goals = [
    { title: 'bare path, one user', pair: [one('tollgate'), one('bare')], goal: 0.8 },
    { title: `bare path, ${options.users} users`, pair: [many('tollgate'), many('bare')], goal: 0.8 },
    { title: 'TypeScript twin, one user', pair: [one('tollgate'), one('twin')], goal: 1, strict: true },
    { title: `TypeScript twin, ${options.users} users`, pair: [many('tollgate'), many('twin')], goal: 1, strict: true },
    { title: 'LiteLLM, 1 worker', pair: [one('tollgate'), one('litellm')], goal: 8 },
    { title: 'LiteLLM, 1 worker/core', pair: [one('tollgate'), one('litellm-cores')] },
    { title: 'Portkey', pair: [one('tollgate'), one('portkey')] },
    { title: 'other checkout, one user', pair: [one('tollgate'), one('against')], if: 'against' },
    { title: `other checkout, ${options.users} users`, pair: [many('tollgate'), many('against')], if: 'against' },
  ];
  const asked = goals.filter((goal) => !goal.if || options.rows.some(({ id }) => id === goal.if));
  const lines = asked.map(({ title, pair, goal, strict }) => {
    const throughput = ratio(figures, pair, 'rps');
    const cpu = ratio(figures, pair, 'cpuMsPerRequest');
    const show = ({ missing, errors, value }) => (missing ? 'not measured' : errors ? 'errors' : fixed(value));
    const met =
      goal === undefined || throughput.value === undefined
        ? ''
        : (strict ? throughput.value > goal : throughput.value >= goal)
          ? 'met'
          : 'MISSED';
    return [
      title,
      show(throughput),
      goal === undefined ? '-' : `${strict ? '>' : '>='} ${goal.toFixed(2)}`,
      met,
      cpuIsReadable ? show(cpu) : 'n/a',
      '',
    ];
  });
  return `\nTollgate against, at ${AT} connections\n${renderTable(['', 'req/s ratio', 'goal', '', 'CPU ms ratio', ''], lines)}`;
}

const LIMIT_KB = { gateway: 150 };
// An alarm, not a limit of the platform: what size costs is start-up time.
const OTHER_LIMIT_KB = 1_000;

export function renderFunctions({ functions, startup }) {
  if (!functions.length) return '\nFunctions: none is built (functions/*/build), so no size and no start-up time.';
  const lines = functions.map(({ name, wasmBytes, gzipBytes }) => {
    const limit = LIMIT_KB[name] ?? OTHER_LIMIT_KB;
    const time = startup?.functions[name];
    const shown = !startup ? 'not measured' : time.error ? `failed: ${time.error}` : `${fixed(time.ms)} (status ${time.status})`;
    return [name, fixed(wasmBytes / 1000), fixed(gzipBytes / 1000), `<= ${limit}`, gzipBytes <= limit * 1000 ? 'met' : 'MISSED', shown];
  });
  const floor = startup ? ` An empty JavaScript Worker takes ${fixed(startup.emptyMs)} ms, which is taken off.` : '';
  return `\nFunctions\n${renderTable(['', 'wasm kB', 'gzipped kB', 'goal', '', 'start-up ms'], lines)}\nStart-up: from a new workerd to its first answer, median of ${startup?.repeats ?? 0}.${floor}`;
}
