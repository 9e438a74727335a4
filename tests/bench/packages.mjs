// The benchmark's own npm packages: the twin's libraries and Portkey's gateway. They stay out of the platform's package.json.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runStep } from '../../tools/lib/run.mjs';

const here = fileURLToPath(new URL('./', import.meta.url));
const MARK = `${here}node_modules/.installed`;

export async function installPackages() {
  const lock = createHash('sha256')
    .update(await readFile(`${here}package-lock.json`))
    .digest('hex');
  if ((await readFile(MARK, 'utf8').catch(() => '')) === lock) return;
  await runStep("Installing the benchmark's npm packages", 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here });
  await writeFile(MARK, lock);
}
