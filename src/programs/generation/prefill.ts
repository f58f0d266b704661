import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { SteppingRun } from '../stepping-run.ts';
import type { Bank } from './bank.ts';
import type { Banks } from './banks.ts';
import { compute } from './compute.ts';
import type { Decoder } from './decoder.ts';
import { pieceOf, PrefillQueue, tokensWithin, type Prefilling } from './prefill-queue.ts';
import type { PrefixStore } from './prefix-store.ts';
import { outcomeOf, type Row } from './row.ts';

/** Most logits of one run: a long prompt whose log probabilities are wanted is computed in pieces of 64 MiB of logits. */
const MOST_LOGITS = 2 ** 24;

/** The time of shorter pieces says little of longer ones. */
const LEAST_TIMED = 16;

/** The outcome of a ticket that asks for log probabilities which the graph does not give. */
const NO_PROMPT_LOGITS: TicketOutcome = {
  ok: false,
  code: 'INVALID_INPUT',
  message: "This model's graph gives the logits of the last token alone: there are no log probabilities of a prompt.",
};

export interface PrefillParts {
  readonly decoder: Decoder;
  readonly banks: Banks;
  readonly prefixes: PrefixStore;
  /** Most tokens of a run. */
  readonly chunk: number;
  readonly vocabulary: number | undefined;
  /** A row's answer depends on what else its run holds, so rows share no run. */
  readonly alone: boolean;
  /** Every prompt is computed in pieces of so many tokens, as far as it goes; undefined: as there is room. */
  readonly pieceTokens: number | undefined;
}

/** Computes prompts piece by piece, each in its own bank, and hands rows over to the shared banks once they have their first token. */
export class Prefill {
  readonly #parts: PrefillParts;
  readonly #queue: PrefillQueue;
  /** Most tokens of a piece where the logits of all are wanted. */
  readonly #mostWithLogits: number;
  /** Time of one token in the latest piece; undefined before the first. */
  #tokenMs: number | undefined;

  constructor(parts: PrefillParts) {
    this.#parts = parts;
    this.#queue = new PrefillQueue(parts.chunk);
    this.#mostWithLogits = Math.max(1, Math.floor(MOST_LOGITS / (parts.vocabulary ?? MOST_LOGITS)));
  }

  get count(): number {
    return this.#queue.count;
  }

  get banks(): readonly Bank<Row>[] {
    return this.#queue.banks;
  }

  add(row: Row): void {
    this.#queue.add(row, this.#parts.banks.apart(row));
  }

  remove(leaves: (row: Row) => boolean): void {
    this.#queue.remove(leaves);
  }

  /** Computes as many tokens of prompts as one run may. It should take no longer than `limitMs`, for the sake of rows that wait for a step. */
  async run(run: SteppingRun, limitMs: number): Promise<void> {
    const { alone, pieceTokens = Infinity } = this.#parts;
    const chunk = alone ? this.#parts.chunk : tokensWithin(limitMs, this.#tokenMs, this.#parts.chunk);
    const fixed = alone || pieceTokens !== Infinity;
    const served = new Set<Prefilling>();
    let rest = chunk;
    for (const prefilling of this.#queue.byTurn()) {
      if (run.fatal !== undefined) return;
      const { row } = prefilling;
      this.#useOthersWork(prefilling);
      const most = row.wantsPrompt ? Math.min(pieceTokens, this.#mostWithLogits) : pieceTokens;
      const computed = pieceOf(row, { rest, most, chunk, fixed });
      if (computed === 0) continue;
      rest -= computed;
      served.add(prefilling);
      await this.#compute(prefilling, computed, run);
    }
    this.#queue.served(served);
  }

  /** Copies what others have computed since this prompt came; it may be the same prompt, for another choice. */
  #useOthersWork(prefilling: Prefilling): void {
    const { banks, prefixes, alone } = this.#parts;
    const { row, bank } = prefilling;
    if (row.wantsPrompt || alone) return;
    const others = this.#queue.banks.filter((other) => other !== bank);
    const prefix = prefixes.find(row.prompt, [...banks.all, ...others]);
    if (prefix === undefined || prefix.tokens <= row.cached) return;
    bank.remove(row);
    prefilling.bank = banks.apart(row, prefix);
  }

  async #compute({ row, bank }: Prefilling, tokens: number, run: SteppingRun): Promise<void> {
    const { decoder, banks, prefixes } = this.#parts;
    const ids = row.prompt.subarray(row.cached, row.cached + tokens);
    const formerMs = run.runMs;
    await run.halving([row], {
      runWhole: async (_, totals) => {
        const from = row.cached;
        const { logits, every, keep } = await compute(decoder, bank, { ids: [ids], totals, every: row.wantsPrompt });
        if (row.wantsPrompt && every.length !== ids.length) return [NO_PROMPT_LOGITS];
        row.takePrompt(every, from);
        keep();
        return row.cached < row.prompt.length ? [{ ok: true, more: true }] : [outcomeOf(row, logits[0])];
      },
    });
    if (tokens >= LEAST_TIMED) this.#tokenMs = (run.runMs - formerMs) / tokens;
    const ended = run.ended.has(row.id);
    if (!ended && row.cached < row.prompt.length) return;
    this.#queue.remove((other) => other === row);
    if (ended) prefixes.keep(row, bank);
    else banks.join(bank);
  }
}
