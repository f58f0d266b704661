/**
 * Output items of recent answers by their ids. Some clients (Vercel's AI SDK among them) do not repeat what a model said: they send references to items,
 * as OpenAI stores those. The items of this process's latest answers are kept in memory, the oldest give way.
 */

/** Of the texts of all items. */
const MOST_CHARACTERS = 4 * 1024 * 1024;
const MOST_ITEMS = 10_000;

/** An item as a request may send it back. */
export type KeptItem = Readonly<Record<string, unknown>> & { readonly id: string };

export class KeptItems {
  readonly #items = new Map<string, { readonly item: KeptItem; readonly length: number }>();
  readonly #mostCharacters: number;
  #characters = 0;

  constructor(mostCharacters = MOST_CHARACTERS) {
    this.#mostCharacters = mostCharacters;
  }

  /** Keeps an item whose texts have about so many characters. */
  keep(item: KeptItem, length: number): void {
    if (length > this.#mostCharacters) return;
    this.#items.set(item.id, { item, length });
    this.#characters += length;
    for (const [id, oldest] of this.#items) {
      if (this.#characters <= this.#mostCharacters && this.#items.size <= MOST_ITEMS) return;
      this.#items.delete(id);
      this.#characters -= oldest.length;
    }
  }

  get(id: string): KeptItem | undefined {
    return this.#items.get(id)?.item;
  }
}

/** Those of the main thread, where answers are written. */
export const KEPT_ITEMS = new KeptItems();
