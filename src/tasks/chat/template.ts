import { readFile } from 'node:fs/promises';
import vm from 'node:vm';
import { Template } from '@huggingface/jinja';
import { messageOf, ServerError } from '../../errors.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Message } from './request.ts';

export interface TemplateRequest {
  readonly messages: readonly Message[];
  readonly addGenerationPrompt: boolean;
  /** Further variables that a template may ask for. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * Turns a conversation into the text form that the model was trained on. A template is a program by the model's author, so it belongs on the
 * CPU pool. Throws INVALID_INPUT on messages that the template refuses, and where it does not end within five seconds.
 */
export interface ChatTemplate {
  (request: TemplateRequest): string;
  /** The template itself, which tells a model's family. */
  readonly source: string;
}

const RENDER_LIMIT_MS = 5000;
const TOKENS = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const;

/**
 * The chat template of a model: chat_template.jinja, else `chat_template` of tokenizer_config.json (of several, the one named `default`).
 * Undefined where there is none. Throws a plain Error on one that cannot be read.
 */
export async function loadChatTemplate(
  files: Readonly<Record<string, string>>,
  tokenizer: TextTokenizer,
  renderLimitMs = RENDER_LIMIT_MS,
): Promise<ChatTemplate | undefined> {
  const file = files['chatTemplate'];
  const text = file === undefined ? defaultTemplate(tokenizer.config['chat_template']) : await readFile(file, 'utf8');
  if (text === undefined) return undefined;
  const template = parse(text);
  const tokens = Object.fromEntries(TOKENS.map((name) => [name, tokenizer.specialToken(name) ?? '']));
  const render = ({ messages, addGenerationPrompt, variables }: TemplateRequest): string => {
    const values = {
      ...variables,
      ...tokens,
      messages,
      add_generation_prompt: addGenerationPrompt,
      // Templates test for `none`.
      tools: null,
      documents: null,
    };
    try {
      return inTime(() => template.render(values), renderLimitMs);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
        throw new ServerError(
          'INVALID_INPUT',
          `The model's chat template does not end within ${renderLimitMs / 1000} s on these messages.`,
        );
      // The text of `raise_exception` is meant for whoever wrote the messages.
      const reason = messageOf(error);
      throw new ServerError('INVALID_INPUT', `The model's chat template refuses these messages: ${reason}`);
    }
  };
  return Object.assign(render, { source: text });
}

const call = new vm.Script('render()');
let context: { render?: () => string } | undefined;

/** Calls a function with a time limit: V8 ends whatever runs within a script that has one, wherever its code comes from. */
function inTime(render: () => string, limitMs: number): string {
  context ??= vm.createContext({});
  context.render = render;
  try {
    return call.runInContext(context, { timeout: limitMs }) as string;
  } finally {
    delete context.render;
  }
}

function parse(text: string): Template {
  try {
    return new Template(text);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`the chat template cannot be read: ${reason}`, { cause: error });
  }
}

function defaultTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
