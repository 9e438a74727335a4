// What the tools print: steps with their time, and failures that say what to do.

const tty = process.stdout.isTTY === true;
const colour = tty && !process.env.NO_COLOR;
const paint = (code) => (text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
export const dim = paint(2);
export const bold = paint(1);
export const red = paint(31);
export const green = paint(32);

/** A failure that the reader can act on: shown as its message and hint, never as a stack trace. */
export class Failure extends Error {
  /**
   * @param {string} message what went wrong, in one sentence
   * @param {string} [hint] what to do about it (may have several lines)
   */
  constructor(message, hint) {
    super(message);
    this.name = 'Failure';
    this.hint = hint;
  }
}

/** Prints a failure for people: message and hint; the stack only of what nobody foresaw. */
export function printFailure(error) {
  if (error instanceof Failure) {
    process.stderr.write(`${red('error:')} ${error.message}\n`);
    if (error.hint) process.stderr.write(error.hint.replace(/^/gm, '       ') + '\n');
  } else {
    process.stderr.write(`${red('error:')} ${error?.stack ?? error}\n`);
  }
}

/** Runs a command line program: `main` is awaited, a failure is printed and ends the process with code 1. */
export async function runMain(main) {
  // Whoever read our output has left (`npm run build | head`): nothing more to say.
  process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    await main();
  } catch (error) {
    printFailure(error);
    process.exit(1);
  }
}

/** `12.3 s`, or `3 min 05 s` when longer. */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** Prints one line. */
export function say(text) {
  process.stdout.write(text + '\n');
}

/**
 * A step that takes a while. On a terminal one line is rewritten with the elapsed time and the latest news;
 * elsewhere (CI logs) there is a plain line at the start, one every 20 seconds, and one at the end.
 *
 * @param {string} title what is being done, e.g. `Installing worker-build 0.8.7`
 */
export function startProgress(title) {
  const started = Date.now();
  let news = '';
  let lastPlain = started;
  if (!tty) say(`${title} ...`);
  const tick = () => {
    const elapsed = duration(Date.now() - started);
    if (tty) {
      const width = (process.stdout.columns || 100) - 1;
      const line = `${title} (${elapsed})${news ? ' ' + news : ''}`;
      process.stdout.write(`\r\x1b[2K${line.slice(0, width)}`);
    } else if (Date.now() - lastPlain >= 20_000) {
      lastPlain = Date.now();
      say(`  ${elapsed}${news ? ': ' + news : ''}`);
    }
  };
  const timer = setInterval(tick, tty ? 200 : 1000);
  timer.unref();
  if (tty) tick();
  const clear = () => {
    clearInterval(timer);
    if (tty) process.stdout.write('\r\x1b[2K');
  };
  return {
    /** Sets what is shown beside the elapsed time. */
    update(text) {
      news = text.trim();
    },
    /** Ends the step well. */
    done(note = '') {
      clear();
      say(`${title}: ${duration(Date.now() - started)}${note ? `, ${note}` : ''}`);
    },
    /** Ends the step; the caller reports the failure. */
    failed() {
      clear();
      say(`${title}: ${red('failed')} after ${duration(Date.now() - started)}`);
    },
  };
}
