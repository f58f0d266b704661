import { generateKeyPairSync, sign } from 'node:crypto';

/** A certificate that signs itself, in PEM, with its key (X.509, RFC 5280; P-256 and SHA-256), for localhost and 127.0.0.1. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

const SEQUENCE = 0x30;
const oid = (hex: string): Buffer => der(6, Buffer.from(hex, 'hex'));
const utcTime = (time: Date): Buffer =>
  der(
    0x17,
    Buffer.from(
      `${time
        .toISOString()
        .replaceAll(/[-T:]|\..*/g, '')
        .slice(2)}Z`,
    ),
  );

const YEAR_MS = 365 * 86_400_000;

/** It holds for a year before now, and until `end`. */
export function selfSigned(name: string, end = new Date(Date.now() + YEAR_MS)): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, oid('2a8648ce3d040302'));
  const subject = der(SEQUENCE, der(0x31, der(SEQUENCE, oid('550403'), der(0x0c, Buffer.from(name)))));
  const names = der(SEQUENCE, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  const body = der(
    SEQUENCE,
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.from([1])),
    algorithm,
    subject,
    der(SEQUENCE, utcTime(new Date(Date.now() - YEAR_MS)), utcTime(end)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, der(SEQUENCE, oid('551d11'), der(4, names)))),
  );
  const signature = sign('sha256', body, privateKey);
  const all = der(SEQUENCE, body, algorithm, der(3, Buffer.from([0]), signature));
  const lines = all.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
