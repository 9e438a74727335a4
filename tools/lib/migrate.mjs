// Applies d1-migrations/*.sql to a local D1 database, each file once and as a whole.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRepo } from './paths.mjs';
import { Failure } from './report.mjs';

// The same table that `wrangler d1 migrations apply` keeps in production.
const TABLE =
  'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)';

/**
 * Brings a database up to date.
 *
 * @param {object} database a D1 binding (Miniflare's)
 * @param {string} folder where the numbered files are
 * @returns {Promise<string[]>} the files that were applied now
 */
export async function migrate(database, folder) {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  await database.prepare(TABLE).run();
  const { results } = await database.prepare('SELECT name FROM d1_migrations').all();
  const applied = new Set(results.map((row) => row.name));
  const now = [];
  for (const name of files) {
    if (applied.has(name)) continue;
    const path = join(folder, name);
    await applyFile(database, path, name);
    now.push(name);
  }
  return now;
}

async function applyFile(database, path, name) {
  const statements = splitStatements(readFileSync(path, 'utf8'));
  const record = database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name);
  try {
    // A batch is one transaction: a file is applied whole or not at all.
    await database.batch([...statements.map(({ sql }) => database.prepare(sql)), record]);
  } catch (error) {
    const culprit = await findCulprit(database, statements);
    const where = culprit ? `${inRepo(path)}:${culprit.line}` : inRepo(path);
    throw new Failure(`the migration ${where} failed: ${reason(error)}`, culprit ? culprit.sql : undefined);
  }
}

// D1 does not tell which statement of a batch failed. Longer and longer beginnings are tried, each ended by a
// statement that must fail, so that nothing is kept: the first other error names the culprit.
async function findCulprit(database, statements) {
  const probe = 'SELECT tollgate_rollback_probe';
  for (let count = 1; count <= statements.length; count++) {
    try {
      await database.batch([...statements.slice(0, count).map(({ sql }) => database.prepare(sql)), database.prepare(probe)]);
    } catch (error) {
      if (!String(error.message).includes('tollgate_rollback_probe')) return statements[count - 1];
    }
  }
  return undefined;
}

function reason(error) {
  return String(error?.message ?? error).replace(/^D1_ERROR: /, '');
}

/**
 * Splits SQL into statements, minding strings, quoted names, comments and the bodies of triggers.
 *
 * @param {string} sql
 * @returns {{sql: string, line: number}[]} each without its semicolon, with the line it begins at
 */
export function splitStatements(sql) {
  const statements = [];
  // Strings, quoted names, comments, words, and any other character, in this order.
  const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\/|[A-Za-z_]\w*|[\s\S]/g;
  let start = -1;
  let words = [];
  let depth = 0; // of BEGIN ... END and CASE ... END in a trigger's body
  const push = (end) => {
    if (start >= 0) statements.push({ sql: sql.slice(start, end).trim(), line: sql.slice(0, start).split('\n').length });
    start = -1;
    words = [];
    depth = 0;
  };
  for (const match of sql.matchAll(token)) {
    const text = match[0];
    if (text.startsWith('--') || text.startsWith('/*') || (text.trim() === '' && start < 0)) continue;
    if (text === ';' && depth === 0) {
      push(match.index);
      continue;
    }
    if (text === ';' && start < 0) continue;
    if (start < 0) start = match.index;
    if (!/^[A-Za-z_]\w*$/.test(text)) continue;
    const word = text.toUpperCase();
    if (words.length < 4) words.push(word);
    if (words[0] === 'CREATE' && words.includes('TRIGGER')) {
      if (word === 'BEGIN' || word === 'CASE') depth += 1;
      if (word === 'END') depth -= 1;
    }
  }
  push(sql.length);
  return statements;
}
