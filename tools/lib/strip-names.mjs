// Takes the names of functions out of a WASM file: a tenth of what the edge loads, and nothing it needs.
// (They cannot be left out earlier: wasm-bindgen reads other custom sections of the same file, and worker-build
// tells wasm-opt to keep names.)
import { Buffer } from 'node:buffer';

const CUSTOM_SECTION = 0;
const HEADER_BYTES = 8;

/**
 * A copy of a WASM module without its `name` section (WebAssembly core specification, appendix "Custom Sections").
 *
 * @param {Buffer} wasm
 * @returns {Buffer}
 */
export function stripNames(wasm) {
  const kept = [wasm.subarray(0, HEADER_BYTES)];
  let at = HEADER_BYTES;
  while (at < wasm.length) {
    const start = at;
    const id = wasm[at];
    const [size, body] = readLength(wasm, at + 1);
    at = body + size;
    if (id === CUSTOM_SECTION && customName(wasm, body) === 'name') continue;
    kept.push(wasm.subarray(start, at));
  }
  return Buffer.concat(kept);
}

function customName(wasm, body) {
  const [length, text] = readLength(wasm, body);
  return wasm.toString('utf8', text, text + length);
}

// An unsigned LEB128 number, and where what follows it begins.
function readLength(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}
