import type { AnswerStream, DecodeContext, StreamEvent } from '../dialects/shared/operation.ts';
import type { ServedOperation } from './choose-model.ts';
import type { Requester } from './requester.ts';
import type { ServedModel } from './served-model.ts';

/** A request as it comes to the door. */
export interface DoorCall {
  readonly requester: Requester;
  /** Given away. */
  readonly body: Uint8Array;
  /** Headers as sent. */
  readonly contentType?: string | undefined;
  readonly jsonLength?: string | undefined;
  readonly accept?: string | undefined;
  /** 1 (highest) to 3; absent: the default. */
  readonly priority?: number | undefined;
  /** How long its model took to load, where it slept. */
  readonly loadMs?: number;
  /** Begins an answer that comes piece by piece. */
  readonly openStream: (answer: AnswerStream) => Lines;
}

/** Takes the events of a stream; each has one line of data. */
export interface Lines {
  send(events: readonly StreamEvent[]): void;
}

/** A request that has been let in by what is known before its body. */
export interface Entry<Operation extends ServedOperation = ServedOperation> {
  readonly operation: Operation;
  /** Undefined if only the body names it. */
  readonly model: ServedModel | undefined;
  /** What the path names; that counts for whatever operation the body turns out to be for. */
  readonly named: { readonly name: string; readonly version: string | undefined } | undefined;
  /** The model is known, but sleeps. */
  readonly asleep?: string;
}

/** A request that is being read. */
export interface Reading<Operation extends ServedOperation = ServedOperation> {
  readonly entry: Entry<Operation>;
  readonly call: DoorCall;
  readonly context: DecodeContext;
}

/** The model known before the body, if it counts for the operation that the body turned out to be for. */
export function givenFor({ operation: asked, model, named }: Entry, operation: ServedOperation) {
  return operation === asked || named !== undefined ? model : undefined;
}
