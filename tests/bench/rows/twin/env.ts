import type { Meter } from './meter';

export interface Caller {
  user: string;
  tenant: string;
  /** ms since the epoch */
  expiresAt: number;
}

export interface Env {
  Bindings: {
    METER: DurableObjectNamespace<Meter>;
    JWKS: string;
    OPENAI_BASE_URL: string;
    OPENAI_API_KEY: string;
  };
  Variables: { caller: Caller; requestId: string };
}
