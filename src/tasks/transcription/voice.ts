import { float32, typedView } from '../../tensors/tensor.ts';
import type { Outputs, ServeContext, Work } from '../task.ts';
import { PcmWriter, slicePcm, wholeSamples, type Pcm, type StretchCall } from './pcm.ts';
import { SpeechGate, TimeMap, type GateSettings } from './speech-gate.ts';
import { FEATURES, VOICE, VOICE_TICKET } from './speech-work.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';

type Run = (work: Work) => Promise<Outputs>;

/** The probability of speech in each 32 ms of a stretch. Rejects as `run` and the CPU pool do. */
export async function voiceIn(
  stretch: StretchCall,
  { context, run }: { readonly context: Pick<ServeContext, 'call'>; readonly run: Run },
): Promise<Float32Array> {
  const samples = (await context.call('samples', stretch)) as Float32Array;
  const inputs = { [FEATURES]: float32([1, samples.length], samples) };
  const { [VOICE]: voice } = await run({ inputs, parameters: VOICE_TICKET, cost: 1, bucket: '' });
  if (voice?.datatype !== 'FP32') throw new Error('the run gave no probabilities of speech');
  return typedView(voice) as Float32Array;
}

/** Speech is looked for in this much audio at a time: a minute, in whole chunks. */
const PIECE = 60 * SAMPLE_RATE_HZ;

/** Audio on its way in, of which only the stretches with speech go on. Holds no more samples than are still needed. */
export class SpeechFilter {
  readonly #writer: PcmWriter;
  readonly #gate: SpeechGate;
  readonly #context: Pick<ServeContext, 'call' | 'run'>;
  readonly #times = new TimeMap();
  #heard = 0;

  constructor(gate: GateSettings, maxSeconds: number, context: Pick<ServeContext, 'call' | 'run'>) {
    this.#gate = new SpeechGate(gate);
    this.#writer = new PcmWriter(maxSeconds);
    this.#context = context;
  }

  /** Of all that came in. */
  get samples(): number {
    return this.#writer.samples;
  }

  /** Where the audio that went on lies in all of it. */
  get stretches(): TimeMap['stretches'] {
    return this.#times.stretches;
  }

  /** Throws TOO_LARGE beyond the limit. */
  write(values: Int16Array): void {
    this.#writer.write(values);
  }

  /** Gives the speech that is decided by now to `take`, in order; all of it where the audio has ended. */
  async forEach(ended: boolean, take: (samples: Int16Array) => void): Promise<void> {
    const pcm = this.#writer.finish();
    while (pcm.samples - this.#heard >= PIECE || (ended && pcm.samples > this.#heard)) {
      const end = Math.min(pcm.samples, this.#heard + PIECE);
      const run: Run = (work) => this.#context.run(work);
      const voice = await voiceIn(slicePcm(pcm, this.#heard, end), { context: this.#context, run });
      this.#heard = end;
      this.#give(pcm, this.#gate.add(voice), take);
      this.#writer.dropBefore(this.#gate.neededFrom);
    }
    if (ended) this.#give(pcm, this.#gate.end(pcm.samples), take);
  }

  #give(pcm: Pcm, kept: ReturnType<SpeechGate['add']>, take: (samples: Int16Array) => void): void {
    for (const stretch of kept) {
      this.#times.add(stretch);
      for (const samples of wholeSamples(pcm, stretch.start, stretch.end)) take(samples);
    }
  }
}
