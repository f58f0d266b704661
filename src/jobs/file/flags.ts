import { JSON_FLAG, readCommand, type CommandSpec } from '../../config/command.ts';

/** The command line of `carpool batch`. */

export const BATCH: CommandSpec = {
  name: 'batch',
  summary: 'answers the requests in a file',
  uses: ['<requests.jsonl> -o <results.jsonl> [--errors <errors.jsonl>] [--force]'],
  about: [
    "Answers every line of a file in the format of OpenAI's batch API, in its order, and serves nobody meanwhile:",
    '  {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"model": "...", "input": "a text"}}',
    '`url` is any inference route of the server. A batch that was broken off goes on where it stopped when it is run again.',
  ],
  flags: {
    output: {
      letter: 'o',
      value: '<file>',
      doc: 'the file of results: a line for each request; <results.jsonl>.progress says how far it has come',
    },
    errors: {
      value: '<file>',
      doc: 'a file of their own for requests that were not answered; default: among the results',
    },
    force: { doc: 'begins anew, and overwrites results that are there' },
    json: { ...JSON_FLAG, doc: 'prints at the end how many requests were answered, as JSON on standard output' },
  },
  takesOptions: true,
  operand: 'file',
  exitCodes: '0 when every line has its result (the last message counts the errors), 1 when not, 2 for bad usage.',
};

export interface BatchFlags {
  readonly input: string;
  readonly output: string;
  readonly errors: string | undefined;
  readonly force: boolean;
  readonly json: boolean;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** What a command line asks for, or what is wrong with it. */
export function batchFlags(argv: readonly string[]): BatchFlags | { readonly problem: string } {
  const line = readCommand(BATCH, argv);
  if ('problem' in line) return line;
  const [input, ...others] = line.operands;
  const { output, errors, force, json } = line.values;
  if (input === undefined || others.length > 0) return { problem: 'Give one file of requests' };
  if (output === undefined) return { problem: 'Say where the results go: -o <results.jsonl>' };
  if (new Set([input, output, errors]).size < 3)
    return { problem: 'Requests, results and errors must be different files' };
  return { input, output, errors, force: force === 'true', json: json === 'true', rest: line.rest };
}
