/** The tag that Ollama's clients put behind a name that has none. */
const LATEST = /:latest$/;

/** A model's name here, of the name that a client of Ollama gives it. */
export function nameOf(model: string | undefined): string | undefined {
  return model?.replace(LATEST, '');
}
