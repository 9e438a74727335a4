// Child processes: quiet ones for questions, watched ones for long work.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import readline from 'node:readline';
import { ROOT } from './paths.mjs';
import { Failure, startProgress } from './report.mjs';

/** The full path of a program on PATH, or undefined. */
export function which(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (!folder) continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * Runs a program to its end and returns what it printed. Never throws for a non-zero exit.
 *
 * @param {string} program
 * @param {string[]} [args]
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.input] what it reads
 * @param {(line: string) => void} [options.onLine] each line of its standard error as it comes (cargo's progress)
 * @returns {Promise<{code: number, stdout: string, stderr: string}>} `code` is 127 when it cannot be started
 */
export function capture(program, args = [], { cwd = ROOT, env = process.env, input, onLine } = {}) {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    if (onLine) readline.createInterface({ input: child.stderr }).on('line', onLine);
    child.on('error', (error) => done({ code: 127, stdout, stderr: stderr + error.message }));
    child.on('close', (code, signal) => done({ code: code ?? (signal ? 128 : 1), stdout, stderr }));
    if (input !== undefined) child.stdin.end(input);
  });
}

/**
 * Runs a long step: shows its title, the elapsed time and its latest line; keeps its output for the failure.
 *
 * @param {string} title
 * @param {string} program
 * @param {string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.hint] what to do when it fails
 * @param {(output: string) => string} [options.digest] turns the output into what a failure shows (default: the last 40 lines)
 * @returns {Promise<string>} everything it printed
 */
export async function runStep(title, program, args, { cwd = ROOT, env = process.env, hint, digest = lastLines } = {}) {
  const progress = startProgress(title);
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (stream) =>
    new Promise((done) => {
      readline
        .createInterface({ input: stream })
        .on('line', (line) => {
          output += line + '\n';
          if (line.trim()) progress.update(line);
        })
        .on('close', done);
    });
  const exit = new Promise((done) => {
    child.on('error', (error) => {
      output += error.message + '\n';
      done(127);
    });
    child.on('close', (code) => done(code ?? 1));
  });
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  const code = await exit;
  if (code !== 0) {
    progress.failed();
    process.stderr.write(digest(output));
    throw new Failure(`${title} failed (${program} ended with code ${code})`, hint);
  }
  progress.done();
  return output;
}

/** The last 40 lines of an output. */
export function lastLines(output) {
  return output.trimEnd().split('\n').slice(-40).join('\n') + '\n';
}

/** What cargo printed, without the progress lines: errors and warnings remain. */
export function cargoMessages(output) {
  const kept = output
    .split('\n')
    .filter((line) => !/^\s*(Compiling|Checking|Fresh|Downloaded|Downloading|Updating|Locking|Adding|Blocking|Finished|Dirty)\b/.test(line));
  return kept.join('\n').trimStart();
}
