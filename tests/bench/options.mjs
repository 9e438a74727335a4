// The rows, what is measured of each, and the command line.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure } from '../../tools/lib/report.mjs';

/**
 * Every row is measured with one user at each of CONNECTIONS (or of its own `connections`); one with `many` also at
 * MANY_CONNECTIONS over all users' objects.
 */
export const ROWS = [
  { id: 'direct', module: 'upstream', title: 'upstream stub, direct', note: 'what every row below calls' },
  { id: 'hello', module: 'hello', title: 'bare workerd hello', note: 'one JavaScript Worker, no upstream, no state' },
  {
    id: 'bare',
    module: 'bare',
    title: 'bare path, JavaScript',
    note: 'gateway, chat, 2 object writes; no authentication, no validation',
    many: true,
  },
  { id: 'twin', module: 'twin', title: 'TypeScript twin (hono, jose)', note: 'authenticated, validated, metered', many: true },
  { id: 'tollgate', module: 'tollgate', title: 'Tollgate', note: 'authenticated, validated, metered', many: true },
  { id: 'portkey', module: 'portkey', title: 'Portkey gateway (Node)', note: 'authenticates nobody, stores nothing' },
  { id: 'litellm', module: 'litellm', title: 'LiteLLM proxy, 1 worker', note: 'one master key, no database; its recommended settings' },
  { id: 'litellm-cores', module: 'litellm-cores', title: 'LiteLLM proxy, 1 worker/core', note: 'the same on every core', connections: [8] },
];

/** Another checkout of this repository, built: what a change does to Tollgate is seen beside what it was, in one run. */
export const AGAINST = { id: 'against', module: 'tollgate', title: 'Tollgate, other checkout', note: 'the checkout named by --against', many: true };

export const CONNECTIONS = [1, 8, 32];
export const MANY_CONNECTIONS = 8;

const HELP = `npm run bench -- [options]

  --quick            one short round of each (about 90 s); good for a look, not for a claim
  --only a,b         only these rows (${ROWS.map(({ id }) => id).join(', ')}, startup); direct always runs
  --against DIR      Tollgate of another checkout as well, which is built already
  --users N          users in the rows "over N users" (default 1000; 200 with --quick)
  --rounds N         rounds, of which the median is taken (default 3)
  --seconds N        length of one measurement (default 4)
  --state DIR        where the stateful rows keep their objects (default: the system's temporary folder)
  --json FILE        the figures of every round, and what ran where
`;

export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      against: { type: 'string' },
      users: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      state: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return null;
  }
  const number = (name, usual, quick) => {
    const value = values[name] === undefined ? (values.quick ? quick : usual) : Number(values[name]);
    if (!(value > 0)) throw new Failure(`--${name} must be a positive number`);
    return value;
  };
  const only = values.only?.split(',').map((id) => id.trim());
  const unknown = only?.find((id) => id !== 'startup' && !ROWS.some((row) => row.id === id));
  if (unknown) throw new Failure(`--only: there is no row "${unknown}"`, HELP);
  const rows = ROWS.filter(({ id }) => !only || id === 'direct' || only.includes(id));
  if (values.against) rows.push({ ...AGAINST, checkout: resolve(process.env.INIT_CWD ?? process.cwd(), values.against) });
  return {
    quick: values.quick,
    rows,
    startup: !only || only.includes('startup'),
    users: Math.round(number('users', 1000, 200)),
    rounds: Math.round(number('rounds', 3, 1)),
    seconds: number('seconds', 4, 1.5),
    state: values.state,
    json: values.json,
  };
}
