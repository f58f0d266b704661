/** Vectors of texts of labels, which clients mostly repeat from image to image. */

/** A vector has 512 to 1,152 numbers: together 5 MB at most. */
const MOST_TEXTS = 1024;

/** Keeps the vectors that were used last. */
export class KnownTexts {
  readonly #vectors = new Map<string, Float32Array>();

  get(text: string): Float32Array | undefined {
    const vector = this.#vectors.get(text);
    if (vector === undefined) return undefined;
    // A map keeps the order of entry, so the one that is used goes to its end.
    this.#vectors.delete(text);
    this.#vectors.set(text, vector);
    return vector;
  }

  set(text: string, vector: Float32Array): void {
    this.#vectors.set(text, vector);
    for (const oldest of this.#vectors.keys()) {
      if (this.#vectors.size <= MOST_TEXTS) break;
      this.#vectors.delete(oldest);
    }
  }
}
