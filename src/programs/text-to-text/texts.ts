import type { TextToTextParameters } from '../../tasks/text-to-text/work.ts';
import { Cohort, type Begun, type Writer } from '../encoder-decoder/cohort.ts';
import type { CrossDecoder } from '../encoder-decoder/decoder.ts';
import { hiddenOf, maskedHiddenOf } from '../encoder-decoder/encoded.ts';
import type { EncodedSource } from '../encoder-decoder/encoding.ts';
import type { Texts } from '../encoder-decoder/writing.ts';
import { BeamWriter } from './beam-writer.ts';
import { PlainWriter } from './plain-writer.ts';

type Source = EncodedSource<TextToTextParameters>;

/** A source shares a run with sources up to this many times as long, and so many tokens longer: padding is read at every step. */
const LONGER = 2;
const MORE_TOKENS = 32;

/** The texts that are written of texts. */
export class SourceTexts implements Texts<Source> {
  readonly #decoder: CrossDecoder;

  constructor(decoder: CrossDecoder) {
    this.#decoder = decoder;
  }

  /** Sources of similar length, or of one length where the decoder takes no mask; the starts of their texts have one length. */
  groups(sources: readonly Source[], cohortRows: number): Source[][] {
    const groups: Source[][] = [];
    let group: Source[] = [];
    let rows = 0;
    const inOrder = [...sources].sort((one, other) => lengthOf(one) - lengthOf(other));
    for (const source of inOrder) {
      const [first] = group;
      rows += beamsOf(source);
      if (first === undefined || rows > cohortRows || !this.#mayShare(first, source)) {
        group = [];
        groups.push(group);
        rows = beamsOf(source);
      }
      group.push(source);
    }
    return groups;
  }

  begin(sources: readonly Source[]): Promise<Begun> {
    const encoded = sources.map((source) => source.encoded);
    const prompts = sources.map(({ parameters }) => parameters.start);
    const hidden = this.#decoder.takesMask ? maskedHiddenOf(encoded) : hiddenOf(encoded);
    return Cohort.begin(this.#decoder, { prompts, hidden }, () => sources.map(writerOf));
  }

  #mayShare(shorter: Source, longer: Source): boolean {
    if (shorter.parameters.start.length !== longer.parameters.start.length) return false;
    const most = this.#decoder.takesMask ? lengthOf(shorter) * LONGER + MORE_TOKENS : lengthOf(shorter);
    return lengthOf(longer) <= most;
  }
}

function writerOf({ id, parameters }: Source): Writer {
  const { search } = parameters;
  return search === undefined ? new PlainWriter(id, parameters) : new BeamWriter(id, parameters, search);
}

function beamsOf({ parameters }: Source): number {
  return parameters.search?.beams ?? 1;
}

function lengthOf({ encoded }: Source): number {
  return encoded.shape[1] ?? 0;
}
