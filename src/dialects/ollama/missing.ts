/** Paths by which Ollama's clients change what models there are. */
const MANAGEMENT = /^\/api\/(pull|push|create|copy|delete|blobs\/[^/]+|me|signout)$/;

/** Why there is nothing at a path of Ollama's that is not served; undefined at all other paths. */
export function missingOllama(path: string): string | undefined {
  return MANAGEMENT.test(path)
    ? 'models are not changed by this API. `carpool pull` brings them into MODELS_DIR, and the repository API (/v2/repository) loads and unloads them'
    : undefined;
}
