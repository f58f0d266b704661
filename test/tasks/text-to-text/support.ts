import { existsSync } from 'node:fs';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { ModelSpec } from '../../../src/model-spec.ts';
import { chooseTextToTextProgram } from '../../../src/tasks/text-to-text/model-files.ts';
import type { TextToTextName } from '../../../src/tasks/text-to-text/task.ts';
import type { Prepared, Task, TaskSource } from '../../../src/tasks/task.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { pathOf, sourceFor } from '../support.ts';

/** The tiny models of tools/text-to-text-reference, which go with the repository. */
export const REFERENCE = pathOf('test/tasks/text-to-text/reference');

/** A model of the reference as the repository would describe it. */
export function referenceSource(model: string, task: TextToTextName, options: TaskSource['options'] = {}): TaskSource {
  const folder = `${REFERENCE}/${model}`;
  const all = {
    decoder: existsSync(`${folder}/onnx/decoder_model_merged.onnx`)
      ? 'onnx/decoder_model_merged.onnx'
      : 'onnx/decoder_model.onnx',
    decoderWithPast: 'onnx/decoder_with_past_model.onnx',
    config: 'config.json',
    generationConfig: 'generation_config.json',
    tokenizer: 'tokenizer.json',
    tokenizerConfig: 'tokenizer_config.json',
    specialTokens: 'special_tokens_map.json',
  };
  const files = Object.entries(all).map(([role, name]) => [role, `${folder}/${name}`] as const);
  return sourceFor(
    task,
    { inputs: [], outputs: [], batchable: true },
    {
      ...{ folder, options, weights: `${folder}/onnx/encoder_model.onnx` },
      files: Object.fromEntries(files.filter(([, file]) => existsSync(file))),
    },
  );
}

/** The model as a lane gets it. */
export async function textToTextSpec(source: TaskSource): Promise<ModelSpec> {
  const program = await chooseTextToTextProgram(source);
  return { key: source.key, weights: source.weights, session: {}, inputs: [], outputs: [], program };
}

/** A text's first ticket, as the task prepares it. */
export async function ticketOf(
  task: Task,
  id: number,
  { text, parameters = {} }: { readonly text: string; readonly parameters?: Readonly<Record<string, unknown>> },
): Promise<LaneTicket> {
  const prepared: Prepared = await task.prepare({ kind: 'json', value: text, parameters });
  return { id, inputs: Object.values(prepared.inputs), parameters: prepared.parameters };
}

export function tokensOf(outcome: TicketOutcome | undefined): number[] {
  const tokens = outcome !== undefined && 'outputs' in outcome ? outcome.outputs[0] : undefined;
  if (tokens === undefined || tokens.datatype === 'BYTES') throw new Error(JSON.stringify(outcome));
  return Array.from(typedView(tokens), Number);
}
