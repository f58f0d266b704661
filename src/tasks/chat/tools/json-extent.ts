/** Finds the end of a JSON value in a text that comes in pieces. It only counts brackets and skips strings: whether the value is JSON, `JSON.parse` tells. */
export class JsonExtent {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Reads on; the index behind the value's last character, or -1 if it goes on. The value must be an object, an array or a string. */
  read(text: string): number {
    for (let at = 0; at < text.length; at += 1) if (this.#ends(text.charAt(at))) return at + 1;
    return -1;
  }

  #ends(character: string): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (character === '\\') this.#escaped = true;
      else if (character === '"') this.#inString = false;
      return !this.#inString && this.#depth === 0;
    }
    if (character === '"') this.#inString = true;
    else if (character === '{' || character === '[') this.#depth += 1;
    else if (character === '}' || character === ']') this.#depth -= 1;
    else return false;
    return !this.#inString && this.#depth <= 0;
  }
}

/** The index behind the JSON value that a text begins with, or -1 if the value may go on. */
export function valueEnd(text: string): number {
  if (/^["{[]/.test(text)) return new JsonExtent().read(text);
  const scalar = /^[^\s,}\]]*(?=[\s,}\]])/.exec(text);
  return scalar === null ? -1 : scalar[0].length;
}
