// `node tools/token-counts.mjs`: counts the tokens of `shared/providers/tests/texts` anew, after a text was added or changed.
import { writeFileSync } from 'node:fs';
import { COUNTS, countTokens } from './lib/token-counts.mjs';

const lines = Object.entries(countTokens()).map(([name, counts]) => `  ${JSON.stringify(name)}: ${JSON.stringify(counts)}`);
writeFileSync(COUNTS, `{\n${lines.join(',\n')}\n}\n`);
