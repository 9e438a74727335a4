// Connections that `fetch` keeps open between calls, shorter than the runtime keeps them.
//
// workerd closes a connection that nobody used for five seconds. `fetch` would use one again for four, by a clock that ticks twice
// a second, so on a busy machine a call goes out on a connection that is just being closed, and is lost (ECONNRESET). A client of
// the platform tries again; a test that counts must not.
import { Agent, setGlobalDispatcher } from 'undici';

setGlobalDispatcher(new Agent({ keepAliveTimeout: 1_000, keepAliveMaxTimeout: 1_000 }));
