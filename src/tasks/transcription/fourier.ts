/**
 * Fourier transforms of a fixed length n = 2^a 5^b, as the 400 of Whisper's frames and the 512 of Kaldi's, twiddles made once: Stockham's self-sorting algorithm,
 * decimation in frequency (Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7), in float64.
 */
export class Fourier {
  readonly length: number;
  readonly #stages: readonly Stage[];
  #from: Complex;
  #to: Complex;

  /** Throws a RangeError for a length that is no product of twos and fives. */
  constructor(length: number) {
    this.length = length;
    this.#stages = stagesOf(length);
    this.#from = { re: new Float64Array(length), im: new Float64Array(length) };
    this.#to = { re: new Float64Array(length), im: new Float64Array(length) };
  }

  /**
   * Power spectra |X_k|^2, k = 0..n/2, of two real signals for the price of one: as real and imaginary part they separate by symmetry.
   * The arrays have n elements, the powers n/2 + 1.
   */
  powers(signals: readonly [Float64Array, Float64Array], powers: readonly [Float64Array, Float64Array]): void {
    this.#from.re.set(signals[0]);
    this.#from.im.set(signals[1]);
    for (const stage of this.#stages) {
      BUTTERFLIES[stage.radix](stage, this.#from, this.#to);
      [this.#from, this.#to] = [this.#to, this.#from];
    }
    const [first, second] = powers;
    const { re, im } = this.#from;
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
}

interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

type Radix = 2 | 4 | 5;

interface Stage {
  readonly radix: Radix;
  /** Length of the transforms of this stage over its radix, and how many lie side by side. */
  readonly groups: number;
  readonly stride: number;
  /** exp(-2 pi i p t / n) at [p * radix + t]. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

function stagesOf(length: number): Stage[] {
  const stages: Stage[] = [];
  let rest = length;
  let stride = 1;
  while (rest > 1) {
    const radix = ([4, 2, 5] as const).find((one) => rest % one === 0);
    if (radix === undefined) throw new RangeError(`${length} is no product of twos and fives`);
    const groups = rest / radix;
    const angles = Array.from(
      { length: groups * radix },
      (_, at) => (-2 * Math.PI * Math.floor(at / radix) * (at % radix)) / rest,
    );
    const cos = Float64Array.from(angles, Math.cos);
    const sin = Float64Array.from(angles, Math.sin);
    stages.push({ radix, groups, stride, cos, sin });
    rest = groups;
    stride *= radix;
  }
  return stages;
}

function twos({ groups, stride, cos, sin }: Stage, { re, im }: Complex, { re: toRe, im: toIm }: Complex): void {
  const step = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const c1 = cos[2 * p + 1] as number;
    const s1 = sin[2 * p + 1] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const gapRe = (re[from] as number) - (re[from + step] as number);
      const gapIm = (im[from] as number) - (im[from + step] as number);
      const place = q + stride * 2 * p;
      toRe[place] = (re[from] as number) + (re[from + step] as number);
      toIm[place] = (im[from] as number) + (im[from + step] as number);
      toRe[place + stride] = gapRe * c1 - gapIm * s1;
      toIm[place + stride] = gapRe * s1 + gapIm * c1;
    }
  }
}

function fours({ groups, stride, cos, sin }: Stage, { re, im }: Complex, { re: toRe, im: toIm }: Complex): void {
  const step = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const c1 = cos[4 * p + 1] as number;
    const s1 = sin[4 * p + 1] as number;
    const c2 = cos[4 * p + 2] as number;
    const s2 = sin[4 * p + 2] as number;
    const c3 = cos[4 * p + 3] as number;
    const s3 = sin[4 * p + 3] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const aRe = re[from] as number;
      const aIm = im[from] as number;
      const bRe = re[from + step] as number;
      const bIm = im[from + step] as number;
      const cRe = re[from + 2 * step] as number;
      const cIm = im[from + 2 * step] as number;
      const dRe = re[from + 3 * step] as number;
      const dIm = im[from + 3 * step] as number;
      const sumRe = aRe + cRe;
      const sumIm = aIm + cIm;
      const gapRe = aRe - cRe;
      const gapIm = aIm - cIm;
      const oddRe = bRe + dRe;
      const oddIm = bIm + dIm;
      // (b - d) times -i.
      const turnRe = bIm - dIm;
      const turnIm = dRe - bRe;
      const place = q + stride * 4 * p;
      toRe[place] = sumRe + oddRe;
      toIm[place] = sumIm + oddIm;
      const y1Re = gapRe + turnRe;
      const y1Im = gapIm + turnIm;
      toRe[place + stride] = y1Re * c1 - y1Im * s1;
      toIm[place + stride] = y1Re * s1 + y1Im * c1;
      const y2Re = sumRe - oddRe;
      const y2Im = sumIm - oddIm;
      toRe[place + 2 * stride] = y2Re * c2 - y2Im * s2;
      toIm[place + 2 * stride] = y2Re * s2 + y2Im * c2;
      const y3Re = gapRe - turnRe;
      const y3Im = gapIm - turnIm;
      toRe[place + 3 * stride] = y3Re * c3 - y3Im * s3;
      toIm[place + 3 * stride] = y3Re * s3 + y3Im * c3;
    }
  }
}

const COS_1 = Math.cos((2 * Math.PI) / 5);
const COS_2 = Math.cos((4 * Math.PI) / 5);
const SIN_1 = Math.sin((2 * Math.PI) / 5);
const SIN_2 = Math.sin((4 * Math.PI) / 5);

function fives({ groups, stride, cos, sin }: Stage, { re, im }: Complex, { re: toRe, im: toIm }: Complex): void {
  const step = groups * stride;
  for (let p = 0; p < groups; p += 1) {
    const c1 = cos[5 * p + 1] as number;
    const s1 = sin[5 * p + 1] as number;
    const c2 = cos[5 * p + 2] as number;
    const s2 = sin[5 * p + 2] as number;
    const c3 = cos[5 * p + 3] as number;
    const s3 = sin[5 * p + 3] as number;
    const c4 = cos[5 * p + 4] as number;
    const s4 = sin[5 * p + 4] as number;
    for (let q = 0; q < stride; q += 1) {
      const from = q + stride * p;
      const aRe = re[from] as number;
      const aIm = im[from] as number;
      const bRe = re[from + step] as number;
      const bIm = im[from + step] as number;
      const cRe = re[from + 2 * step] as number;
      const cIm = im[from + 2 * step] as number;
      const dRe = re[from + 3 * step] as number;
      const dIm = im[from + 3 * step] as number;
      const eRe = re[from + 4 * step] as number;
      const eIm = im[from + 4 * step] as number;
      const outerRe = bRe + eRe;
      const outerIm = bIm + eIm;
      const innerRe = cRe + dRe;
      const innerIm = cIm + dIm;
      // Differences times -i.
      const turnOuterRe = bIm - eIm;
      const turnOuterIm = eRe - bRe;
      const turnInnerRe = cIm - dIm;
      const turnInnerIm = dRe - cRe;
      const even1Re = aRe + COS_1 * outerRe + COS_2 * innerRe;
      const even1Im = aIm + COS_1 * outerIm + COS_2 * innerIm;
      const even2Re = aRe + COS_2 * outerRe + COS_1 * innerRe;
      const even2Im = aIm + COS_2 * outerIm + COS_1 * innerIm;
      const odd1Re = SIN_1 * turnOuterRe + SIN_2 * turnInnerRe;
      const odd1Im = SIN_1 * turnOuterIm + SIN_2 * turnInnerIm;
      const odd2Re = SIN_2 * turnOuterRe - SIN_1 * turnInnerRe;
      const odd2Im = SIN_2 * turnOuterIm - SIN_1 * turnInnerIm;
      const place = q + stride * 5 * p;
      toRe[place] = aRe + outerRe + innerRe;
      toIm[place] = aIm + outerIm + innerIm;
      const y1Re = even1Re + odd1Re;
      const y1Im = even1Im + odd1Im;
      toRe[place + stride] = y1Re * c1 - y1Im * s1;
      toIm[place + stride] = y1Re * s1 + y1Im * c1;
      const y2Re = even2Re + odd2Re;
      const y2Im = even2Im + odd2Im;
      toRe[place + 2 * stride] = y2Re * c2 - y2Im * s2;
      toIm[place + 2 * stride] = y2Re * s2 + y2Im * c2;
      const y3Re = even2Re - odd2Re;
      const y3Im = even2Im - odd2Im;
      toRe[place + 3 * stride] = y3Re * c3 - y3Im * s3;
      toIm[place + 3 * stride] = y3Re * s3 + y3Im * c3;
      toRe[place + 4 * stride] = (even1Re - odd1Re) * c4 - (even1Im - odd1Im) * s4;
      toIm[place + 4 * stride] = (even1Re - odd1Re) * s4 + (even1Im - odd1Im) * c4;
    }
  }
}

const BUTTERFLIES: Readonly<Record<Radix, (stage: Stage, from: Complex, to: Complex) => void>> = {
  2: twos,
  4: fours,
  5: fives,
};
