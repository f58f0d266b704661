import { Row } from './row.ts';

/** A row that warms the decoder up; nobody waits for it. */
export function madeUp(id: number): Row {
  const sampling = {
    ...{ temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0, logitBias: [] },
    ...{ repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
  };
  return new Row(id, Int32Array.of(0), { sampling, maxTokens: 1, stopTokens: [] });
}
