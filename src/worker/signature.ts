import type { InferenceSession } from 'onnxruntime-node';
import type { ModelSpec, TensorOverride } from '../pool/messages.ts';
import type { Signature, TensorSpec } from '../tensor.ts';
import { datatypeOf } from './tensor.ts';

/**
 * The signature as metadata has it, corrected by model.json. Metadata lies (free dimensions without names, the batch called
 * `time`, batch on axis 1), so the batch axes of inputs are only candidates here and outputs have none: a trial decides.
 * Throws a plain Error that lists every override naming a tensor the graph has not got.
 */
export function readSignature(session: InferenceSession, spec: ModelSpec): Signature {
  const problems = [
    ...unknownNames(session.inputNames, spec.inputs, 'input'),
    ...unknownNames(session.outputNames, spec.outputs, 'output'),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
  const inputs = session.inputMetadata.map((metadata) =>
    tensorSpec(metadata, override(spec.inputs, metadata.name), true),
  );
  const outputs = session.outputMetadata.map((metadata) =>
    tensorSpec(metadata, override(spec.outputs, metadata.name), false),
  );
  return { inputs, outputs, batchable: inputs.some(({ batchAxis }) => batchAxis !== null) };
}

function unknownNames(names: readonly string[], overrides: readonly TensorOverride[], kind: string): string[] {
  return overrides
    .filter(({ name }) => !names.includes(name))
    .map(({ name }) => `model.json: there is no ${kind} ${name}; the graph has ${names.join(', ')}`);
}

function override(overrides: readonly TensorOverride[], name: string): TensorOverride | undefined {
  return overrides.find((entry) => entry.name === name);
}

function tensorSpec(
  metadata: InferenceSession.ValueMetadata,
  own: TensorOverride | undefined,
  guessAxis: boolean,
): TensorSpec {
  const { name } = metadata;
  if (!metadata.isTensor) throw new Error(`${name} is not a tensor`);
  const shape =
    own?.shape ?? metadata.shape.map((dimension) => (typeof dimension === 'number' && dimension >= 0 ? dimension : -1));
  const firstFree = shape.indexOf(-1);
  const guess = guessAxis && firstFree >= 0 ? firstFree : null;
  const batchAxis = own?.batchAxis === undefined ? guess : own.batchAxis;
  if (batchAxis !== null && batchAxis >= shape.length) throw new Error(`model.json: ${name} has no axis ${batchAxis}`);
  return { name, datatype: own?.datatype ?? datatypeOf(metadata.type), shape, batchAxis };
}
