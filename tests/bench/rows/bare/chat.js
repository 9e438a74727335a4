// The floor under a metered call: a write before, the upstream, a write after. Nobody is authenticated, nothing is checked.
import { DurableObject } from 'cloudflare:workers';

export class Meter extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, tokens INTEGER NOT NULL, settled INTEGER NOT NULL)');
  }
  reserve(tokens) {
    return this.sql.exec('INSERT INTO ledger (tokens, settled) VALUES (?, 0) RETURNING id', tokens).one().id;
  }
  settle(id, tokens) {
    this.sql.exec('UPDATE ledger SET tokens = ?, settled = 1 WHERE id = ?', tokens, id);
  }
  counted() {
    return this.sql.exec('SELECT count(*) AS n FROM ledger WHERE settled').one().n;
  }
}

export default {
  async fetch(request, env, ctx) {
    const user = request.headers.get('authorization');
    const meter = env.METER.get(env.METER.idFromName(user));
    if (request.method === 'GET') return Response.json({ requests: await meter.counted() });
    const id = await meter.reserve(280);
    const answer = await fetch(env.UPSTREAM, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
      body: await request.text(),
    });
    ctx.waitUntil(meter.settle(id, 32));
    return answer;
  },
};
