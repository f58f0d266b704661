/**
 * Precisions of weights and how transformers.js marks them in the names of ONNX files: `model_q4.onnx` holds 4-bit weights. The order
 * is that in which `auto` looks: the most exact first, so that quality is lost only on request.
 */
export const DTYPE_SUFFIXES = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
  q2: '_q2',
  q2f16: '_q2f16',
  q1: '_q1',
  q1f16: '_q1f16',
} as const;

export type Dtype = keyof typeof DTYPE_SUFFIXES;

export const DTYPES = Object.keys(DTYPE_SUFFIXES) as readonly Dtype[];

/** What may be asked for: one dtype, or the first there is. */
export const DTYPE_CHOICES = ['auto', ...DTYPES] as const;
export type DtypeChoice = (typeof DTYPE_CHOICES)[number];

/** True for a name that may be given as a dtype. */
export function isDtypeChoice(name: string): name is DtypeChoice {
  return (DTYPE_CHOICES as readonly string[]).includes(name);
}

/** The precision that the name of an ONNX file tells: of a suffix, that of the full file otherwise. */
export function dtypeOf(file: string): Dtype {
  return DTYPES.find((dtype) => dtype !== 'fp32' && file.endsWith(`${DTYPE_SUFFIXES[dtype]}.onnx`)) ?? 'fp32';
}
