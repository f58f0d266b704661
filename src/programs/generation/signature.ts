import type { TicketOutcome } from '../../lanes/protocol.ts';
import { GENERATION_OUTPUTS } from '../../tasks/chat/generation.ts';
import type { Signature } from '../../tensors/tensor.ts';

/** What a ticket brings and gets. */
export const SIGNATURE: Signature = {
  inputs: [{ name: 'prompt', datatype: 'INT32', shape: [-1, -1], batchAxis: 0 }],
  outputs: GENERATION_OUTPUTS.map((name) => ({
    name,
    datatype: name.endsWith('tokens') ? 'INT32' : 'FP32',
    shape: name.includes('top_') ? [-1, -1, -1] : [-1, -1],
    batchAxis: 0,
  })),
  batchable: true,
};

/** What becomes of a ticket that wants more than the graph has. */
export const NO_PROMPT_LOGITS: TicketOutcome = {
  ok: false,
  code: 'INVALID_INPUT',
  message: "This model's graph gives the logits of the last token alone: there are no log probabilities of a prompt.",
};
