import type { AdmittedItem } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import type { LaneWork } from '../lanes/protocol.ts';
import type { Work } from '../tasks/task.ts';
import { shapeKey } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { refuseEmpty } from './refuse-empty.ts';
import { costOf } from './run-size.ts';
import type { ServedModel } from './served-model.ts';

/** The ticket of what a task has prepared. Throws a ServerError: what `refuseEmpty` and `costOf` throw, INTERNAL if an input is missing. */
export function ticketOf(
  model: ServedModel,
  work: Work,
  onProgress?: AdmittedItem<LaneWork>['onProgress'],
): AdmittedItem<LaneWork> {
  const inputs = inOrder(model, work);
  refuseEmpty(model.signature, inputs);
  const { parameters, cost, bucket } = work;
  return {
    payload: parameters === undefined ? { inputs } : { inputs, parameters },
    items: 1,
    // Items of the task `tensors` have any size, which the task does not count.
    cost: model.description.task === 'tensors' && model.graph !== undefined ? costOf(model.graph, inputs) : cost,
    shapeKey: bucket ?? shapeKey(model.signature, inputs),
    onProgress,
  };
}

function inOrder(model: ServedModel, { inputs }: Work): Tensor[] {
  return model.signature.inputs.map(({ name }) => {
    const tensor = inputs[name];
    if (tensor === undefined)
      throw new ServerError('INTERNAL', undefined, { cause: new Error(`prepare gave no input ${name}`) });
    return tensor;
  });
}
