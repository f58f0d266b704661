/**
 * Fourier transforms of a fixed length n = 2^a 5^b, twiddles made once: Stockham's self-sorting algorithm, decimation in frequency
 * (Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7), in float64.
 */
export class Fourier {
  readonly length: number;
  readonly #stages: readonly Stage[];
  #re: Float64Array;
  #im: Float64Array;
  #otherRe: Float64Array;
  #otherIm: Float64Array;

  /** Throws a RangeError for a length with other prime factors than 2 and 5. */
  constructor(length: number) {
    this.length = length;
    this.#stages = stagesOf(length);
    this.#re = new Float64Array(length);
    this.#im = new Float64Array(length);
    this.#otherRe = new Float64Array(length);
    this.#otherIm = new Float64Array(length);
  }

  /**
   * Power spectra |X_k|^2, k = 0..n/2, of two real signals for the price of one: as real and imaginary part they separate by symmetry.
   * The arrays have n elements, the powers n/2 + 1.
   */
  powers(signals: readonly [Float64Array, Float64Array], powers: readonly [Float64Array, Float64Array]): void {
    this.#re.set(signals[0]);
    this.#im.set(signals[1]);
    this.#transform();
    const [first, second] = powers;
    const re = this.#re;
    const im = this.#im;
    const n = this.length;
    for (let k = 0; k <= n / 2; k += 1) {
      const mirror = k === 0 ? 0 : n - k;
      const reK = re[k] as number;
      const imK = im[k] as number;
      const reM = re[mirror] as number;
      const imM = im[mirror] as number;
      first[k] = ((reK + reM) ** 2 + (imK - imM) ** 2) / 4;
      second[k] = ((imK + imM) ** 2 + (reM - reK) ** 2) / 4;
    }
  }

  #transform(): void {
    for (const stage of this.#stages) {
      const work = { re: this.#re, im: this.#im, toRe: this.#otherRe, toIm: this.#otherIm };
      BUTTERFLIES[stage.radix](stage, work);
      [this.#re, this.#otherRe] = [this.#otherRe, this.#re];
      [this.#im, this.#otherIm] = [this.#otherIm, this.#im];
    }
  }
}

interface Stage {
  readonly radix: 2 | 4 | 5;
  /** Length of the transforms of this stage over its radix, and how many lie side by side. */
  readonly groups: number;
  readonly stride: number;
  /** exp(-2 pi i p t / n) at [p * radix + t]. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}
interface Arrays {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly toRe: Float64Array;
  readonly toIm: Float64Array;
}

function stagesOf(length: number): Stage[] {
  const stages: Stage[] = [];
  let rest = length;
  let stride = 1;
  while (rest > 1) {
    const radix = rest % 4 === 0 ? 4 : rest % 5 === 0 ? 5 : 2;
    if (rest % radix !== 0) throw new RangeError(`${length} has a prime factor other than 2 and 5`);
    const groups = rest / radix;
    const cos = new Float64Array(groups * radix);
    const sin = new Float64Array(groups * radix);
    for (let p = 0; p < groups; p += 1)
      for (let t = 0; t < radix; t += 1) {
        const angle = (-2 * Math.PI * p * t) / rest;
        cos[p * radix + t] = Math.cos(angle);
        sin[p * radix + t] = Math.sin(angle);
      }
    stages.push({ radix, groups, stride, cos, sin });
    rest = groups;
    stride *= radix;
  }
  return stages;
}

const BUTTERFLIES = { 2: butterfly2, 4: butterfly4, 5: butterfly5 };

function butterfly2({ groups, stride, cos, sin }: Stage, { re, im, toRe, toIm }: Arrays): void {
  const half = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const c = cos[p * 2 + 1] as number;
    const s = sin[p * 2 + 1] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const to = q + stride * 2 * p;
      const aRe = re[from] as number;
      const aIm = im[from] as number;
      const bRe = re[from + half] as number;
      const bIm = im[from + half] as number;
      toRe[to] = aRe + bRe;
      toIm[to] = aIm + bIm;
      const dRe = aRe - bRe;
      const dIm = aIm - bIm;
      toRe[to + stride] = dRe * c - dIm * s;
      toIm[to + stride] = dRe * s + dIm * c;
    }
  }
}

function butterfly4({ groups, stride, cos, sin }: Stage, { re, im, toRe, toIm }: Arrays): void {
  const quarter = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const at = p * 4;
    const c1 = cos[at + 1] as number;
    const s1 = sin[at + 1] as number;
    const c2 = cos[at + 2] as number;
    const s2 = sin[at + 2] as number;
    const c3 = cos[at + 3] as number;
    const s3 = sin[at + 3] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const to = q + stride * 4 * p;
      const aRe = re[from] as number;
      const aIm = im[from] as number;
      const bRe = re[from + quarter] as number;
      const bIm = im[from + quarter] as number;
      const cRe = re[from + 2 * quarter] as number;
      const cIm = im[from + 2 * quarter] as number;
      const dRe = re[from + 3 * quarter] as number;
      const dIm = im[from + 3 * quarter] as number;
      const sumRe = aRe + cRe;
      const sumIm = aIm + cIm;
      const gapRe = aRe - cRe;
      const gapIm = aIm - cIm;
      const oddRe = bRe + dRe;
      const oddIm = bIm + dIm;
      // (b - d) times -i.
      const turnRe = bIm - dIm;
      const turnIm = dRe - bRe;
      toRe[to] = sumRe + oddRe;
      toIm[to] = sumIm + oddIm;
      const y1Re = gapRe + turnRe;
      const y1Im = gapIm + turnIm;
      toRe[to + stride] = y1Re * c1 - y1Im * s1;
      toIm[to + stride] = y1Re * s1 + y1Im * c1;
      const y2Re = sumRe - oddRe;
      const y2Im = sumIm - oddIm;
      toRe[to + 2 * stride] = y2Re * c2 - y2Im * s2;
      toIm[to + 2 * stride] = y2Re * s2 + y2Im * c2;
      const y3Re = gapRe - turnRe;
      const y3Im = gapIm - turnIm;
      toRe[to + 3 * stride] = y3Re * c3 - y3Im * s3;
      toIm[to + 3 * stride] = y3Re * s3 + y3Im * c3;
    }
  }
}

const COS_1 = Math.cos((2 * Math.PI) / 5);
const COS_2 = Math.cos((4 * Math.PI) / 5);
const SIN_1 = Math.sin((2 * Math.PI) / 5);
const SIN_2 = Math.sin((4 * Math.PI) / 5);

function butterfly5({ groups, stride, cos, sin }: Stage, { re, im, toRe, toIm }: Arrays): void {
  const fifth = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const at = p * 5;
    const c1 = cos[at + 1] as number;
    const s1 = sin[at + 1] as number;
    const c2 = cos[at + 2] as number;
    const s2 = sin[at + 2] as number;
    const c3 = cos[at + 3] as number;
    const s3 = sin[at + 3] as number;
    const c4 = cos[at + 4] as number;
    const s4 = sin[at + 4] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const to = q + stride * 5 * p;
      const aRe = re[from] as number;
      const aIm = im[from] as number;
      const bRe = re[from + fifth] as number;
      const bIm = im[from + fifth] as number;
      const cRe = re[from + 2 * fifth] as number;
      const cIm = im[from + 2 * fifth] as number;
      const dRe = re[from + 3 * fifth] as number;
      const dIm = im[from + 3 * fifth] as number;
      const eRe = re[from + 4 * fifth] as number;
      const eIm = im[from + 4 * fifth] as number;
      const outerRe = bRe + eRe;
      const outerIm = bIm + eIm;
      const innerRe = cRe + dRe;
      const innerIm = cIm + dIm;
      // Differences times -i.
      const turnOuterRe = bIm - eIm;
      const turnOuterIm = eRe - bRe;
      const turnInnerRe = cIm - dIm;
      const turnInnerIm = dRe - cRe;
      toRe[to] = aRe + outerRe + innerRe;
      toIm[to] = aIm + outerIm + innerIm;
      const even1Re = aRe + COS_1 * outerRe + COS_2 * innerRe;
      const even1Im = aIm + COS_1 * outerIm + COS_2 * innerIm;
      const even2Re = aRe + COS_2 * outerRe + COS_1 * innerRe;
      const even2Im = aIm + COS_2 * outerIm + COS_1 * innerIm;
      const odd1Re = SIN_1 * turnOuterRe + SIN_2 * turnInnerRe;
      const odd1Im = SIN_1 * turnOuterIm + SIN_2 * turnInnerIm;
      const odd2Re = SIN_2 * turnOuterRe - SIN_1 * turnInnerRe;
      const odd2Im = SIN_2 * turnOuterIm - SIN_1 * turnInnerIm;
      const y1Re = even1Re + odd1Re;
      const y1Im = even1Im + odd1Im;
      toRe[to + stride] = y1Re * c1 - y1Im * s1;
      toIm[to + stride] = y1Re * s1 + y1Im * c1;
      const y2Re = even2Re + odd2Re;
      const y2Im = even2Im + odd2Im;
      toRe[to + 2 * stride] = y2Re * c2 - y2Im * s2;
      toIm[to + 2 * stride] = y2Re * s2 + y2Im * c2;
      const y3Re = even2Re - odd2Re;
      const y3Im = even2Im - odd2Im;
      toRe[to + 3 * stride] = y3Re * c3 - y3Im * s3;
      toIm[to + 3 * stride] = y3Re * s3 + y3Im * c3;
      toRe[to + 4 * stride] = (even1Re - odd1Re) * c4 - (even1Im - odd1Im) * s4;
      toIm[to + 4 * stride] = (even1Re - odd1Re) * s4 + (even1Im - odd1Im) * c4;
    }
  }
}
