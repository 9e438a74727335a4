// The TypeScript twin: the same authenticated, metered call as Tollgate's, on the same runtime, by hono and jose.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { startWorkers } from './workerd.mjs';

async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`./twin/${entry}`, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:workers'],
  });
  return outputFiles[0].text;
}

export async function serve({ upstream, stateDir, users }) {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench-1', alg: 'EdDSA', use: 'sig' };
  const tokens = await Promise.all(
    Array.from({ length: users }, () =>
      new SignJWT({ tenant: `ten_${randomUUID()}`, role: 'owner' })
        .setProtectedHeader({ alg: 'EdDSA', kid: jwk.kid, typ: 'JWT' })
        .setIssuer('tollgate-twin')
        .setAudience('api')
        .setSubject(`usr_${randomUUID()}`)
        .setIssuedAt()
        .setExpirationTime('2h')
        .sign(privateKey),
    ),
  );
  const { url, stop } = await startWorkers({
    stateDir,
    workers: [
      { name: 'gateway', script: await bundle('gateway.ts'), serviceBindings: { CHAT: 'chat' } },
      {
        name: 'chat',
        script: await bundle('chat.ts'),
        bindings: { JWKS: JSON.stringify({ keys: [jwk] }), OPENAI_BASE_URL: `${upstream}/v1`, OPENAI_API_KEY: 'x' },
        durableObjects: { METER: { className: 'Meter', useSQLite: true } },
      },
    ],
  });
  const counted = async () => {
    const answer = await fetch(`${url}/usage`, { headers: { authorization: `Bearer ${tokens[0]}` } });
    return (await answer.json()).settled;
  };
  return { url, path: '/v1/chat/completions', model: 'openai/gpt-4o-mini', tokens: async () => tokens, counted, stop };
}
