// The platform's own database, opened while the platform is stopped: for states that no call can bring about yet.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Opens a database that a runtime which has just ended may hold for a moment yet. */
export const openDatabase = (file, options) => new DatabaseSync(file, { timeout: 10_000, ...options });

/**
 * Works on the first shard's database. The platform must not be running on it.
 *
 * @template T
 * @param {string} stateDir
 * @param {(database: DatabaseSync) => T} work
 * @returns {T}
 */
export const withDatabase = (stateDir, work) => onFirstShard(stateDir, {}, work);

/** Reads the first shard's database while the platform runs on it. */
export const readDatabase = (stateDir, work) => onFirstShard(stateDir, { readOnly: true }, work);

function onFirstShard(stateDir, options, work) {
  const folder = join(stateDir, 'd1', 'miniflare-D1DatabaseObject');
  const files = readdirSync(folder).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite');
  assert.equal(files.length, 1, `one database in ${folder}: ${files}`);
  const database = openDatabase(join(folder, files[0]), options);
  try {
    return work(database);
  } finally {
    database.close();
  }
}
