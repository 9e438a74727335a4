// LiteLLM with a worker on every core, beside its recommended single one.
import { availableParallelism } from 'node:os';
import * as litellm from './litellm.mjs';

export const { prepare } = litellm;
export const serve = (context) => litellm.serve({ ...context, workers: availableParallelism() });
