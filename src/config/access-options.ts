import { boolean, list, text } from './option.ts';

/** Options of who may use the server, and by which names and certificates it is reached. */
export const ACCESS_OPTIONS = {
  API_KEY: {
    ...text(
      '',
      'One API key for everything: clients then have to send it. Empty, like the next two: no key is asked for.',
    ),
    secret: true,
  },
  API_KEYS: {
    ...list(
      'API keys as `name:sha256`, separated by commas, with what each is for: `app:<sha256>:infer:metrics`; without that inference alone. `carpool hash-key` prints such an entry.',
    ),
    secret: true,
  },
  // Paths of this machine are not shown to clients.
  API_KEYS_FILE: {
    ...text('', 'File of API keys in JSON, with limits for each; it is read again when it changes.'),
    secret: true,
  },
  DASHBOARD: boolean(
    true,
    'Whether browsers find a page at `/`: what the server does, live, and its models to try. It also switches `GET /live`.',
  ),
  API_DOCS: boolean(true, 'Whether `/docs` shows the API, and `/openapi.json` describes it.'),
  ALLOWED_HOSTS: list(
    'Names that requests may have in `Host`, separated by commas; `*`: any. Empty: those of this machine where HOST is a loopback address, so that no page of another name reaches the server; elsewhere any.',
  ),
  // Paths of this machine are not shown to clients.
  TLS_CERT_FILE: {
    ...text(
      '',
      'File of the certificate in PEM, with those between it and its root: PORT then speaks TLS. Read again when it changes.',
    ),
    secret: true,
  },
  TLS_KEY_FILE: { ...text('', 'File of the private key of that certificate in PEM, not encrypted.'), secret: true },
};
