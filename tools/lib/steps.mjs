// Runs named steps one after the other, stops at the first that fails, and tells where the time went.
import { bold, dim, duration, green, printFailure, red, say } from './report.mjs';

/**
 * @typedef {object} Totals counts of tests
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {() => Promise<Totals | void>} run throws when the step fails; a step with tests returns or throws its counts
 */

/** A step that failed with test counts. Its output has already said why. */
export class StepFailure extends Error {
  /**
   * @param {string} message
   * @param {Totals} [totals]
   */
  constructor(message, totals) {
    super(message);
    this.totals = totals;
  }
}

/**
 * @param {Step[]} steps
 * @returns {Promise<{ok: boolean, totals: Totals}>}
 */
export async function runSteps(steps) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const add = (counts) => {
    for (const key of Object.keys(totals)) totals[key] += counts?.[key] ?? 0;
  };
  const rows = [];
  let ok = true;
  for (const { name, run } of steps) {
    if (!ok) {
      rows.push([name, dim('not run')]);
      continue;
    }
    say(bold(`\n== ${name}`));
    const started = Date.now();
    try {
      add(await run());
      rows.push([name, duration(Date.now() - started), green('ok')]);
    } catch (error) {
      ok = false;
      add(error?.totals);
      if (error instanceof StepFailure) say(`${red('failed:')} ${error.message}`);
      else printFailure(error);
      rows.push([name, duration(Date.now() - started), red('failed')]);
    }
  }
  say(bold('\n== Where the time went'));
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, time, verdict = ''] of rows) say(`${name.padEnd(width)}  ${time.padStart(12)}  ${verdict}`);
  return { ok, totals };
}
