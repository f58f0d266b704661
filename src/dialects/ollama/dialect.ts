import type { Dialect } from '../shared/dialect.ts';

/** Ollama's API: its clients read `error` as text. https://github.com/ollama/ollama/blob/main/docs/api.md */
export const OLLAMA: Dialect = {
  name: 'ollama',
  paths: /^\/api\//,
  tellError: ({ status, message, code }) => ({ status, body: { error: message, code } }),
  tellStreamError: ({ message }) => ({ error: message }),
};
