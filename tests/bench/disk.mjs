// How long the disk under the rows' state takes to make a write durable. Every reservation waits for one (the output gate), so this
// is part of the stateful rows' figures and no part of the stateless ones'.
import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './load.mjs';

const WRITES = 15;
const PAGE = Buffer.alloc(4096);

/** Median ms of a durable 4 kB write in `folder`. */
export function durableWriteMs(folder) {
  const path = join(folder, 'probe');
  const file = openSync(path, 'w');
  try {
    const times = Array.from({ length: WRITES }, () => {
      const started = performance.now();
      writeSync(file, PAGE);
      fdatasyncSync(file);
      return performance.now() - started;
    });
    return median(times);
  } finally {
    closeSync(file);
    unlinkSync(path);
  }
}
