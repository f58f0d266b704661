import { plainDialect } from '../shared/dialect.ts';

/** Hugging Face's inference API. Its errors are `{error: text}`. */
export const HF = plainDialect('hf');
