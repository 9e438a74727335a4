// Programs from Python's registry, each in an environment of its own in the per-user cache.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDir } from './paths.mjs';
import { runStep } from './run.mjs';

/** A Python that can make an environment; Debian's bare python3 cannot. */
function findPython() {
  for (const name of ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3']) {
    const probe = spawnSync(name, ['-c', 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))']);
    if (probe.status === 0) return name;
  }
  return null;
}

/**
 * Installs a package once for this user. Throws, saying why, where that cannot be.
 *
 * @param {{folder: string, name: string, version: string, extras?: string, size?: string, also?: string[]}} program `folder` in the
 *   cache; `also` are dependencies at a version, as pip takes them
 * @returns {Promise<string>} the folder of its programs
 */
export async function installPython({ folder, name, version, extras = '', size = '', also = [] }) {
  const venv = join(cacheDir(), folder, `${name}-${version}`);
  const done = join(venv, 'installed');
  if (!existsSync(done)) {
    const python = findPython();
    if (!python) throw new Error('needs Python 3.10 to 3.13 with venv (Debian: apt install python3-venv)');
    await rm(venv, { recursive: true, force: true });
    await mkdir(dirname(venv), { recursive: true });
    await runStep(`Making a Python environment in ${venv}`, python, ['-m', 'venv', venv]);
    const install = ['install', '--disable-pip-version-check', '--progress-bar', 'off', `${name}${extras}==${version}`, ...also];
    await runStep(`Installing ${name} ${version} (${size}once)`, join(venv, 'bin/pip'), install);
    await writeFile(done, '');
  }
  return join(venv, 'bin');
}
