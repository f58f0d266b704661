/** So many tokens must have occurred before, in this order, for what followed them to be a draft. */
const ALIKE = 3;
/**
 * Tokens of a draft, at first and after one that was right to its end. On a CPU, a run of 2 to 4 tokens costs twice one of a single token, because
 * one row has a quicker kernel, and a run of 8 costs three times as much: shorter drafts seldom pay.
 */
const SHORT = 3;
const LONG = 7;
/** Steps without drafts after one that did not pay: at first, and at most. */
const FIRST_PAUSE = 4;
const LONGEST_PAUSE = 64;

/**
 * Drafts of an answer's next tokens: where the last three tokens have occurred before, in the prompt or the answer, what followed them then
 * (prompt lookup decoding). Texts that are copied, corrected or quoted have many such places. The model computes all tokens of a draft in
 * one run, and those count that it would have chosen itself. What is drafted follows from the text alone, so that the same request
 * has the same runs.
 */
export class Drafts {
  #length = SHORT;
  #pause = 0;
  #nextPause = FIRST_PAUSE;

  /** What may follow, at most `most` tokens; empty where a draft would not pay. */
  next(prompt: Int32Array, answer: readonly number[], most: number): readonly number[] {
    if (this.#pause > 0) {
      this.#pause -= 1;
      return [];
    }
    const draft = followed(prompt, answer, Math.min(this.#length, most));
    return worthwhile(draft);
  }

  /** Of a draft of `drafted` tokens, the model has chosen the first `right` ones itself. */
  judge(drafted: number, right: number): void {
    this.#length = right === drafted ? LONG : SHORT;
    const pays = right >= (drafted > SHORT ? 2 : 1);
    if (!pays) this.#pause = this.#nextPause;
    this.#nextPause = pays ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, this.#nextPause * 2);
  }
}

/** A draft, or none where it is too short to pay. */
export function worthwhile(draft: readonly number[]): readonly number[] {
  return draft.length < SHORT ? [] : draft;
}

/** The tokens behind the latest place where the last ones have occurred before; beyond the text's end, it goes on as it did from there. */
function followed(prompt: Int32Array, answer: readonly number[], most: number): number[] {
  const end = prompt.length + answer.length;
  const at = (place: number): number => (place < prompt.length ? prompt[place] : answer[place - prompt.length]) ?? -1;
  const isAlike = (place: number): boolean => {
    for (let back = 1; back <= ALIKE; back += 1) if (at(place - back) !== at(end - back)) return false;
    return true;
  };
  let place = end - 1;
  while (place >= ALIKE && !isAlike(place)) place -= 1;
  if (place < ALIKE || most < 1) return [];
  return Array.from({ length: most }, (_, index) => at(place + (index % (end - place))));
}
