import { createHmac } from 'node:crypto';

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */

const PREFIX = 'whsec_';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** The specification asks for 24 to 64 bytes; shorter ones are in use. */
const FEWEST_BYTES = 16;

/** The key in WEBHOOK_SECRET: base64, perhaps behind `whsec_`. Undefined if it is none, or too short to be a secret. */
export function webhookKey(secret: string): Uint8Array | undefined {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  return key.byteLength < FEWEST_BYTES ? undefined : key;
}

/** The headers of a message that is sent at a time (s); without a key it is not signed. */
export function webhookHeaders(
  key: Uint8Array | undefined,
  { id, body, timestamp }: { readonly id: string; readonly body: string; readonly timestamp: number },
): Record<string, string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
  if (key === undefined) return headers;
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
