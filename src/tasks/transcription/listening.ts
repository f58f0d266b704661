import { float32, typedView, type Tensor } from '../../tensors/tensor.ts';
import type { Outputs, ServeContext, Work } from '../task.ts';
import { isDoubtful, leastDoubtful, type Judged } from './fallback.ts';
import { FRAMES, SAMPLE_RATE_HZ } from './log-mel.ts';
import { slicePcm, type Pcm, type StretchCall } from './pcm.ts';
import { promptTokens } from './prompt.ts';
import type { Settings } from './request.ts';
import { unfinished, type Take } from './segments.ts';
import { ATTENTION, FEATURES, STATS, TOKENS, type SpeechParameters, type SpeechTokens } from './speech-work.ts';
import { voiceIn } from './voice.ts';
import type { Window } from './windows.ts';

/** What a model's requests have in common. */
export interface SpeechSetup {
  readonly tokens: SpeechTokens;
  readonly mels: number;
  /** Most tokens of a window. */
  readonly maxTokens: number;
}

export interface ListeningParts {
  readonly context: ServeContext;
  readonly model: SpeechSetup;
  /** The samples of the windows that are listened to. */
  readonly pcm: () => Pcm;
  /** The windows known so far; more may be added at the end. */
  readonly windows: readonly Window[];
  /** Whether there is more than one. */
  readonly isLong: boolean;
  readonly settings: Settings;
  /** Tokens of the text before. */
  readonly previous: readonly number[];
  /** Called after each stretch that was heard; what it throws ends the request. */
  readonly onHeard: (seconds: number) => void;
  /** Called with what was heard in a window, in the order in which they are done. */
  readonly onWindow?: ((index: number, takes: readonly Take[]) => void) | undefined;
}

/** Audio that the model has yet to hear. */
type Stretch = Pick<Take, 'window' | 'start' | 'end'>;
type Run = (work: Work) => Promise<Outputs>;

/** A text is not tried again where the request's time is less than so many times what the last try took. */
const HURRY = 3;
/** Of the encoder's output: 20 ms. */
const FRAME_SAMPLES = SAMPLE_RATE_HZ / 50;

/** Most runs of a window, where each leaves something to the next. */
const MOST_ROUNDS = 4;
/** Less sound than this after the last timestamp is not run again, because timestamps are not exact. */
const LEAST_SAMPLES = 0.8 * SAMPLE_RATE_HZ;

/** A window whose text is doubtful is silent where speech is nowhere this likely: Silero's own threshold for the end of speech, so that none is lost. */
const MAYBE_SPEECH = 0.35;

/** The windows of one request on their way through the lanes. */
export class Listening {
  readonly #parts: ListeningParts;
  readonly #timestamps: boolean;
  /** Runs of each window beyond the first of each stretch: all its stretches share one ladder of temperatures, so that its cost is bounded. */
  readonly #repeats = new Map<number, number>();
  #language: string | undefined;

  constructor(parts: ListeningParts) {
    this.#parts = parts;
    this.#language = parts.settings.language;
    // With timestamps the decoder keeps to what was said; without them it tends to go on where a window ends within a sentence.
    this.#timestamps = parts.settings.timestamps || parts.settings.words || parts.isLong;
  }

  /** The language that the audio is in: asked for, or heard in its first window. */
  get language(): string {
    return this.#language ?? 'en';
  }

  /** What is heard in the windows from `from` to `to` (not included), in order. */
  async hear(from: number, to: number): Promise<readonly Take[]> {
    // The first window decides the language of all, because a window with little speech could be mistaken for another language.
    const isFirst = this.#language === undefined && to > from;
    const run: Run = (work) => this.#parts.context.run(work);
    const first = isFirst ? await this.#listen(this.#whole(from), run) : undefined;
    const takes = await this.#parts.context.runEach(to - from, (index, each) =>
      this.#window(from + index, each, index === 0 ? first : undefined),
    );
    return takes.flat();
  }

  #whole(index: number): Stretch {
    const window = this.#parts.windows[index];
    if (window === undefined) throw new RangeError(`there is no window ${index}`);
    return { window: index, start: window.start, end: window.end };
  }

  /** Hears a window, and then what its last run left of it. `first` is its first take, if it was heard already. */
  async #window(index: number, run: Run, first: Take | undefined): Promise<readonly Take[]> {
    const takes: Take[] = [];
    let take = first ?? (await this.#listen(this.#whole(index), run));
    for (let round = 1; ; round += 1) {
      const rest = round < MOST_ROUNDS ? this.#rest(take) : undefined;
      takes.push(rest?.kept ?? take);
      if (rest === undefined) break;
      take = await this.#listen(rest.stretch, run);
    }
    this.#parts.onWindow?.(index, takes);
    return takes;
  }

  /** Hears a stretch, and hears it again at the next temperature as long as its text is doubtful and there is time. */
  async #listen(stretch: Stretch, run: Run): Promise<Take> {
    const { temperatures, thresholds } = this.#parts.settings;
    const repeats = this.#repeats.get(stretch.window) ?? 0;
    let left = temperatures.length - repeats;
    // Of takes that are given up nothing is kept: attention may be megabytes.
    let kept: Judged | undefined;
    let speaks: boolean | undefined;
    for (const temperature of temperatures.slice(0, left)) {
      const startMs = performance.now();
      const judged = await this.#heard(stretch, { temperature, run, isOnly: left === 1 && kept === undefined });
      left -= 1;
      kept = kept === undefined ? judged : leastDoubtful([kept, judged], thresholds);
      const doubtful = isDoubtful(judged, thresholds);
      if (this.#mayBeSilent(judged, doubtful)) speaks ??= await this.#speaks(stretch, run);
      const tookMs = performance.now() - startMs;
      if (!doubtful || speaks === false || this.#parts.context.leftMs() < HURRY * tookMs) break;
    }
    if (kept === undefined) throw new RangeError('there is no temperature');
    this.#repeats.set(stretch.window, temperatures.length - left - 1);
    this.#parts.onHeard((stretch.end - stretch.start) / SAMPLE_RATE_HZ);
    return speaks === false ? { ...kept.take, tokens: [] } : this.#aligned(kept);
  }

  async #heard(
    stretch: Stretch,
    { temperature, run, isOnly }: { temperature: number; run: Run; isOnly: boolean },
  ): Promise<Judged> {
    const outputs = await run(await this.#work(stretch, temperature));
    const take = this.#takeOf(stretch, temperature, outputs);
    // Without another try, nothing depends on it.
    const compressionRatio = isOnly ? 0 : await this.#repetition(take);
    return { take, compressionRatio, attention: outputs[ATTENTION] };
  }

  /** Whether it should be asked if anybody speaks. */
  #mayBeSilent({ take }: Judged, doubtful: boolean): boolean {
    const { voice, thresholds } = this.#parts.settings;
    return voice.check && (doubtful || take.noSpeechProb > thresholds.noSpeech);
  }

  /** The end of a window that its last run left to the next one. Whisper's own code, which goes through the audio in order, seeks there. */
  #rest(take: Take): { kept: Take; stretch: Stretch } | undefined {
    const window = this.#parts.windows[take.window];
    const left = this.#timestamps ? unfinished(take, this.#parts.model.tokens) : undefined;
    if (window === undefined || left === undefined) return undefined;
    const { kept, from, heardTo } = left;
    if (heardTo - take.start < LEAST_SAMPLES || window.speechEnd - heardTo < LEAST_SAMPLES) return undefined;
    const next = this.#parts.windows[take.window + 1];
    // What the next window hears as well is not lost.
    if (next !== undefined && heardTo - next.start >= LEAST_SAMPLES) return undefined;
    return { kept: { ...take, tokens: kept }, stretch: { window: take.window, start: from, end: window.end } };
  }

  async #work({ window, start, end }: Stretch, temperature: number): Promise<Work> {
    const { context, model, pcm, settings, previous } = this.#parts;
    const argument: StretchCall = slicePcm(pcm(), start, end);
    const features = (await context.call('features', argument)) as Float32Array;
    const timestamps = this.#timestamps;
    const prompt = promptTokens({ ...settings, timestamps, language: this.#language }, previous, model.tokens);
    const parameters: SpeechParameters = {
      prompt,
      timestamps,
      maxTokens: Math.min(model.maxTokens, model.tokens.maxPositions - prompt.length),
      temperature,
      seed: settings.seed + window,
      ...(settings.words ? { alignFrames: Math.ceil((end - start) / FRAME_SAMPLES) } : {}),
    };
    const inputs = { [FEATURES]: float32([1, model.mels, FRAMES], features) };
    return { inputs, parameters, cost: 1, bucket: '' };
  }

  /** The take with the times of its tokens, where the program gave its attention. */
  async #aligned({ take, attention }: Judged): Promise<Take> {
    if (attention === undefined || attention.datatype === 'BYTES') return take;
    const { buffer } = attention.data;
    const give = buffer instanceof ArrayBuffer ? { give: [buffer] } : {};
    const times = (await this.#parts.context.call('align', { attention, tokens: take.tokens }, give)) as number[];
    return { ...take, times: times.map((seconds) => seconds + take.start / SAMPLE_RATE_HZ) };
  }

  /** Whether anybody may speak in a stretch. */
  async #speaks({ start, end }: Stretch, run: Run): Promise<boolean> {
    const { context, pcm } = this.#parts;
    const voice = await voiceIn(slicePcm(pcm(), start, end), { context, run });
    return voice.some((probability) => probability >= MAYBE_SPEECH);
  }

  async #repetition({ tokens }: Take): Promise<number> {
    return (await this.#parts.context.call('repetition', tokens)) as number;
  }

  /** The first take decides the language. */
  #takeOf(stretch: Stretch, temperature: number, outputs: Outputs): Take {
    const [avgLogprob = 0, noSpeechProb = NaN, language] = numbers(outputs[STATS]);
    const { languages } = this.#parts.model.tokens;
    this.#language ??= Object.entries(languages).find(([, id]) => id === language)?.[0] ?? 'en';
    return { ...stretch, tokens: numbers(outputs[TOKENS]), avgLogprob, noSpeechProb, temperature };
  }
}

function numbers(tensor: Tensor | undefined): number[] {
  if (tensor === undefined || tensor.datatype === 'BYTES') throw new Error('the run gave no tokens');
  return Array.from(typedView(tensor), Number);
}
