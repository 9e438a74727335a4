// The vault's format, read and written by another implementation than the platform's: Node's AES-256-GCM.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const u32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
};
/** The purpose and the parts, each with its length before it. */
function associated(purpose, ...parts) {
  const lengths = (bytes) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    return [length, bytes];
  };
  return Buffer.concat([purpose, ...parts].flatMap((part) => lengths(Buffer.from(part))));
}
const uuidOf = (id) => Buffer.from(id.split('_')[1].replaceAll('-', ''), 'hex');

function seal(key, version, plain, aad) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return `v1.${version}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
}
function open(key, sealed, aad) {
  const [, , nonce, bytes] = sealed.split('.');
  const all = Buffer.from(bytes, 'base64url');
  const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url')).setAAD(aad).setAuthTag(all.subarray(-16));
  return Buffer.concat([cipher.update(all.subarray(0, -16)), cipher.final()]);
}
export const versionOf = (sealed) => Number(sealed.split('.')[1]);

/** The setting MASTER_KEYS, by version. */
export const masterKeys = (setting) => new Map(setting.split(',').map((entry) => [Number(entry.split(':')[0]), Buffer.from(entry.split(':')[1], 'base64url')]));

const ofDataKey = (tenant, master) => associated('tollgate data key', uuidOf(tenant), u32(master));

/** A tenant's data key, sealed; `key` is 32 bytes. */
export const sealDataKey = (masters, master, tenant, version, key) => seal(masters.get(master), master, Buffer.concat([u32(version), key]), ofDataKey(tenant, master));

/** Its 32 bytes. Throws when it does not open. */
export function openDataKey(masters, tenant, sealed) {
  const master = versionOf(sealed);
  return open(masters.get(master), sealed, ofDataKey(tenant, master)).subarray(4);
}

/** A value in its place. Throws when it does not open. */
export const openValue = (dataKey, tenant, { table, column, row }, sealed) => open(dataKey, sealed, associated('tollgate value', uuidOf(tenant), u32(versionOf(sealed)), table, column, row));
