// One object a user: the plan's limits, the running totals, the ledger.
import { DurableObject } from 'cloudflare:workers';

interface Totals {
  requests: number;
  tokens: number;
}

export type Decision =
  | { admitted: true; reservation: number; requestsLeft: number; tokensLeft: number }
  | { admitted: false; meter: 'requests' | 'tokens'; limit: number; used: number };

const LIMITS: Totals = { requests: 1e12, tokens: 1e15 };

export class Meter extends DurableObject {
  private readonly sql: SqlStorage;
  // What is settled and reserved together; the table is the truth, this is its copy while the object is awake.
  private totals: Totals;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 1), requests INTEGER NOT NULL, tokens INTEGER NOT NULL);
      INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
      CREATE TABLE IF NOT EXISTS ledger (
        id INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL UNIQUE,
        model TEXT NOT NULL,
        reserved_tokens INTEGER NOT NULL,
        settled_tokens INTEGER,
        created_at INTEGER NOT NULL
      );`);
    this.totals = this.sql.exec('SELECT requests, tokens FROM totals').one() as unknown as Totals;
  }

  /** Admits one request of about `tokens`, or says which limit stops it. The answer leaves once the row is on disk (output gate). */
  reserve(key: string, model: string, tokens: number): Decision {
    const known = this.sql.exec('SELECT id FROM ledger WHERE idempotency_key = ?', key).toArray()[0];
    if (known) return this.admitted(known.id as number);
    if (this.totals.requests + 1 > LIMITS.requests) return this.refused('requests');
    if (this.totals.tokens + tokens > LIMITS.tokens) return this.refused('tokens');
    const { id } = this.sql
      .exec(
        'INSERT INTO ledger (idempotency_key, model, reserved_tokens, created_at) VALUES (?, ?, ?, ?) RETURNING id',
        key,
        model,
        tokens,
        Date.now(),
      )
      .one();
    this.add(1, tokens);
    return this.admitted(id as number);
  }

  /** Replaces the estimate by what was used. */
  settle(reservation: number, tokens: number): void {
    const row = this.sql
      .exec('UPDATE ledger SET settled_tokens = ? WHERE id = ? AND settled_tokens IS NULL RETURNING reserved_tokens', tokens, reservation)
      .toArray()[0];
    if (row) this.add(0, tokens - (row.reserved_tokens as number));
  }

  usage(): Totals & { settled: number } {
    const { n } = this.sql.exec('SELECT count(*) AS n FROM ledger WHERE settled_tokens IS NOT NULL').one();
    return { ...this.totals, settled: n as number };
  }

  private add(requests: number, tokens: number) {
    this.totals.requests += requests;
    this.totals.tokens += tokens;
    this.sql.exec('UPDATE totals SET requests = ?, tokens = ?', this.totals.requests, this.totals.tokens);
  }

  private admitted(reservation: number): Decision {
    return {
      admitted: true,
      reservation,
      requestsLeft: LIMITS.requests - this.totals.requests,
      tokensLeft: LIMITS.tokens - this.totals.tokens,
    };
  }

  private refused(meter: keyof Totals): Decision {
    return { admitted: false, meter, limit: LIMITS[meter], used: this.totals[meter] };
  }
}
