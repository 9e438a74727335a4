// CPU time, read from /proc: what a row's process tree has used, and what the whole machine has used.
// The second number tells whether somebody else was working on the machine while we measured.
import { readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

export const cpuIsReadable = process.platform === 'linux';

// Linux counts in ticks; 100 a second everywhere in practice, but the machine knows for certain.
const tickMs = cpuIsReadable ? 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : NaN;

/** The fields of /proc/<pid>/stat behind the command name, which may itself hold spaces and parentheses. */
function statFields(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** `root` and every process below it. */
export function processTree(root) {
  const children = new Map();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(statFields(entry)[1]);
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(Number(entry));
    } catch {
      // It ended between the listing and the reading.
    }
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** User + system time, in ms, of the process tree under `root`; NaN where /proc does not exist. */
export function treeCpuMs(root) {
  if (!cpuIsReadable) return NaN;
  let ticks = 0;
  for (const pid of processTree(root)) {
    try {
      const fields = statFields(pid);
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // Ended meanwhile: servers keep their processes for a whole run, so nothing of weight is lost.
    }
  }
  return ticks * tickMs;
}

/**
 * Busy time of all cores together since boot, in ms (idle and waiting for the disk left out), with what the hypervisor gave to
 * other guests meanwhile.
 */
export function machineBusyMs() {
  if (!cpuIsReadable) return NaN;
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * tickMs;
}
