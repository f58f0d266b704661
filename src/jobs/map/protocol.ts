/** What the main thread and the thread of JOB_MAP tell each other. */

/** The functions that the user's module may export. */
export type MapFunction = 'toJob' | 'toReport';

export interface MapCall {
  readonly id: number;
  readonly name: MapFunction;
  /** The message as it came. */
  readonly message: Uint8Array;
  /** For `toReport`: the line of the result. */
  readonly result?: Uint8Array;
}

/** First of all: whether the module is loaded, and what it exports. */
export type MapStart = { readonly functions: readonly MapFunction[] } | { readonly unloadable: string };

/** The value that a function has returned, as JSON, or why there is none. */
export type MapAnswer = { readonly id: number } & MapValue;

export type MapValue = { readonly value: Uint8Array } | { readonly problem: string };
