/** Zero crossings of the sinc on each side, and the Kaiser window's beta: stop band below -80 dB. */
const CROSSINGS = 32;
const BETA = 8.5;
/** Share of the lower Nyquist frequency that passes; the rest is the filter's slope. */
const PASS = 0.94;
/** Phases of the filter that are tabulated; a ratio with more is interpolated between them. */
const MOST_PHASES = 1024;

/**
 * Changes the sample rate piece by piece: a windowed-sinc low-pass (Smith, Digital Audio Resampling; Kaiser window) below the lower of
 * the two Nyquist frequencies, evaluated at each output sample. Silence is assumed before and after.
 */
export class Resampler {
  readonly #step: number;
  readonly #ratio: number;
  readonly #half: number;
  readonly #phases: number;
  readonly #table: Float32Array;
  /** Input that is still needed, and the number of its first sample. */
  #held: Float32Array;
  #heldFrom: number;
  #taken = 0;
  #given = 0;

  constructor(fromHz: number, toHz: number) {
    const divisor = greatestDivisor(fromHz, toHz);
    // Output sample j lies at j * step / ratio of the input, in integers, so that no error adds up over hours.
    this.#step = fromHz / divisor;
    this.#ratio = toHz / divisor;
    const cutoff = Math.min(1, toHz / fromHz) * PASS;
    this.#half = Math.ceil(CROSSINGS / cutoff);
    this.#phases = Math.min(this.#ratio, MOST_PHASES);
    this.#table = filterTable({ cutoff, half: this.#half, phases: this.#phases });
    this.#held = new Float32Array(this.#half - 1);
    this.#heldFrom = 1 - this.#half;
  }

  /** The output that the input so far determines. */
  push(input: Float32Array): Float32Array {
    this.#taken += input.length;
    return this.#run(input, this.#taken - this.#half - 1);
  }

  /** The rest of the output, once there is no more input. */
  flush(): Float32Array {
    return this.#run(new Float32Array(this.#half + 1), this.#taken - 1);
  }

  /** Output up to the one at input sample `lastInput`. */
  #run(input: Float32Array, lastInput: number): Float32Array {
    const samples = new Float32Array(this.#held.length + input.length);
    samples.set(this.#held);
    samples.set(input, this.#held.length);
    // The last j with floor(j * step / ratio) <= lastInput.
    const end = lastInput < 0 ? 0 : Math.ceil(((lastInput + 1) * this.#ratio) / this.#step);
    const output = new Float32Array(Math.max(0, end - this.#given));
    for (let at = 0; at < output.length; at += 1) output[at] = this.#sample(samples, this.#given + at);
    this.#given += output.length;
    const next = Math.floor((this.#given * this.#step) / this.#ratio) - this.#half + 1;
    const done = Math.min(samples.length, Math.max(0, next - this.#heldFrom));
    this.#held = samples.slice(done);
    this.#heldFrom += done;
    return output;
  }

  #sample(samples: Float32Array, index: number): number {
    const position = index * this.#step;
    const whole = Math.floor(position / this.#ratio);
    const phase = ((position - whole * this.#ratio) * this.#phases) / this.#ratio;
    const row = Math.floor(phase);
    const taps = 2 * this.#half;
    const table = this.#table;
    const from = whole - this.#half + 1 - this.#heldFrom;
    const here = row * taps;
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) sum += (samples[from + tap] as number) * (table[here + tap] as number);
    const part = phase - row;
    if (part === 0) return sum;
    let next = 0;
    for (let tap = 0; tap < taps; tap += 1)
      next += (samples[from + tap] as number) * (table[here + taps + tap] as number);
    return sum + (next - sum) * part;
  }
}

/** Rows of filter taps for positions 0, 1/phases, ... 1 between two input samples; each row sums to 1. */
function filterTable({ cutoff, half, phases }: { cutoff: number; half: number; phases: number }): Float32Array {
  const taps = 2 * half;
  const table = new Float32Array((phases + 1) * taps);
  for (let phase = 0; phase <= phases; phase += 1) {
    const row = new Float64Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = phase / phases + half - 1 - tap;
      const angle = Math.PI * distance * cutoff;
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
      const inside = 1 - (distance / half) ** 2;
      row[tap] = sinc * (inside <= 0 ? 0 : bessel(BETA * Math.sqrt(inside)));
      sum += row[tap] as number;
    }
    for (let tap = 0; tap < taps; tap += 1) table[phase * taps + tap] = (row[tap] as number) / sum;
  }
  return table;
}

/** The modified Bessel function of the first kind and order 0, by its power series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
