import { ServerError } from '../../src/errors.ts';
import { createChatTask } from '../../src/tasks/chat/task.ts';
import { writeCalls, toolFormat, type ToolFormatName, type WrittenCall } from '../../src/tasks/chat/tools/formats.ts';
import type { Item, Outputs, ServeContext } from '../../src/tasks/task.ts';
import { float32, fromTypedArray } from '../../src/tensors/tensor.ts';
import { makeChatFolder } from '../tasks/chat/support.ts';
import type { StubModel } from './stub-services.ts';

/** A chat model of which all is real but its words: a function of the conversation gives them, byte by byte. */

export interface Asked {
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

export interface ScriptedChat extends AsyncDisposable {
  readonly model: StubModel;
}

const END = 256;

/** `answer` is what the model writes. */
export async function scriptedChat(
  name: string,
  format: ToolFormatName,
  answer: (asked: Asked) => string,
): Promise<ScriptedChat> {
  const folder = await makeChatFolder();
  const task = await createChatTask(folder.source({ options: { toolFormat: format, contextTokens: 100_000 } }));
  const serve: StubModel['serve'] = (item, { emit, streaming }) => {
    const words = answer((item as Item & { readonly value: Asked }).value);
    const tokens = [...new TextEncoder().encode(words), END];
    const context: ServeContext = {
      ...{ streaming, emit, leftMs: () => 60_000, onLeave: () => () => undefined, count: () => undefined },
      call: (call, argument) => Promise.resolve().then(() => task.calls?.[call]?.(argument as never)),
      runEach: () => Promise.reject(new Error('not used')),
      run: async (_, onProgress, signal) => {
        for (const token of tokens.slice(0, -1)) {
          await Promise.resolve();
          if (signal?.aborted === true) throw new ServerError('CANCELLED');
          onProgress?.({ tokens: [token] });
        }
        return outputsOf(tokens);
      },
    };
    return task.serve?.(item, context) ?? Promise.reject(new Error('the task does not serve'));
  };
  return {
    model: { name, task: 'chat', serve, calls: task.calls },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A model that calls tools until it has results, and then says so. `calls` are all made in one answer. */
export function scriptedCaller(format: ToolFormatName, calls: readonly WrittenCall[]): Promise<ScriptedChat> {
  return scriptedChat(format, format, ({ messages, tools = [] }) => {
    const results = messages.filter(({ role }) => role === 'tool' || role === 'function');
    if (results.length > 0) return `The tools said: ${results.map(({ content }) => String(content)).join(', ')}.`;
    return tools.length === 0 ? 'Hello.' : writeCalls(toolFormat(format), calls);
  });
}

function outputsOf(tokens: readonly number[]): Outputs {
  const none = float32([1, 0], new Float32Array(0));
  return { tokens: fromTypedArray('INT32', [1, tokens.length], Int32Array.from(tokens)), logprobs: none };
}
