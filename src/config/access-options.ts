import { list, text } from './option.ts';

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
};
