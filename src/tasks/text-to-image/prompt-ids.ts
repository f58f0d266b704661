import type { TextTokenizer } from '../text/tokenizer.ts';

/**
 * Makes token ids [1, tokens] of a text as these encoders were trained on it: cut so that the end token stays, and filled up with the
 * padding token. Throws a plain Error when the tokenizer does not say what to pad with.
 */
export function promptIds(tokenizer: TextTokenizer, tokens: number): (text: string) => Int32Array {
  const pad = paddingId(tokenizer);
  const room = tokens - tokenizer.frame([]).ids.length;
  return (text) => {
    const ids = tokenizer.encode(text, { addSpecialTokens: false }).slice(0, room);
    const padded = new Int32Array(tokens).fill(pad);
    padded.set(tokenizer.frame(ids).ids);
    return padded;
  };
}

function paddingId(tokenizer: TextTokenizer): number {
  for (const name of ['pad_token', 'eos_token'] as const) {
    const token = tokenizer.specialToken(name);
    const id = token === undefined ? undefined : tokenizer.tokenToId(token);
    if (id !== undefined) return id;
  }
  throw new Error('tokenizer_config.json names no pad_token that tokenizer.json knows');
}
