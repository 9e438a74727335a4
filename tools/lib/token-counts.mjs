// What a real tokenizer (`o200k_base`, from the package `tiktoken`) counts of the texts that Tollgate's estimate is held to.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { get_encoding } from 'tiktoken';
import { ROOT } from './paths.mjs';

const PROVIDERS = join(ROOT, 'shared/providers');
export const TEXTS = join(PROVIDERS, 'tests/texts');
/** Committed beside the texts, so that the Rust tests need no tokenizer. */
export const COUNTS = join(TEXTS, 'counts.json');
const HAN = join(PROVIDERS, 'src/tokens/han.bits');
/** How much of a text is counted: of what is not one of the usual kinds less, since the tokenizer takes its time over long runs. */
const lengthOf = name => name.startsWith('other-') ? 8192 : 65536;

/** A text again and again up to a length, in pieces of a size, cut between characters. */
function pieces(text, length, size) {
  const whole = Buffer.concat(Array(Math.ceil(length / text.length)).fill(text));
  const at = wanted => {
    let end = wanted;
    while (end < whole.length && (whole[end] & 0xc0) === 0x80) end -= 1;
    return end;
  };
  return Array.from({ length: length / size }, (_, index) => whole.subarray(at(index * size), at((index + 1) * size)).toString());
}

/** For each text and size the tokens of each piece. */
export function countTokens() {
  const encoding = get_encoding('o200k_base');
  try {
    const names = readdirSync(TEXTS).filter(name => name.endsWith('.txt')).sort();
    return Object.fromEntries(names.map(name => {
      const text = readFileSync(join(TEXTS, name));
      const length = lengthOf(name);
      const sizes = [1024, 8192, 65536].filter(size => size <= length);
      const counted = sizes.map(size => [size, pieces(text, length, size).map(piece => encoding.encode_ordinary(piece).length)]);
      return [name.replace(/\.txt$/, ''), Object.fromEntries(counted)];
    }));
  } finally {
    encoding.free();
  }
}

/** A bit for each Chinese character from U+4E00 to U+9FFF: whether it is one token. */
export function hanBits() {
  const encoding = get_encoding('o200k_base');
  const bits = Buffer.alloc((0xa000 - 0x4e00) / 8);
  for (let code = 0x4e00; code < 0xa000; code += 1) {
    if (encoding.encode_ordinary(String.fromCharCode(code)).length === 1) bits[(code - 0x4e00) >> 3] |= 1 << ((code - 0x4e00) & 7);
  }
  encoding.free();
  return bits;
}

export const committedCounts = () => JSON.parse(readFileSync(COUNTS, 'utf8'));
export const committedHanBits = () => readFileSync(HAN);
