import { readFile } from 'node:fs/promises';
import { Template } from '@huggingface/jinja';
import { ServerError } from '../../errors.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Message } from './request.ts';

export interface TemplateRequest {
  readonly messages: readonly Message[];
  readonly addGenerationPrompt: boolean;
  /** Further variables that a template may ask for. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Makes a conversation into the one text that the model was trained on. Throws INVALID_INPUT on messages that the template refuses. */
export type ChatTemplate = (request: TemplateRequest) => string;

const TOKENS = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const;

/**
 * The chat template of a model: chat_template.jinja, else `chat_template` of tokenizer_config.json (of several, the one named `default`).
 * Undefined where there is none. Throws a plain Error on one that cannot be read.
 */
export async function loadChatTemplate(
  files: Readonly<Record<string, string>>,
  tokenizer: TextTokenizer,
): Promise<ChatTemplate | undefined> {
  const file = files['chatTemplate'];
  const text = file === undefined ? defaultTemplate(tokenizer.config['chat_template']) : await readFile(file, 'utf8');
  if (text === undefined) return undefined;
  const template = parse(text);
  const tokens = Object.fromEntries(TOKENS.map((name) => [name, tokenizer.specialToken(name) ?? '']));
  return ({ messages, addGenerationPrompt, variables }) => {
    try {
      return template.render({
        ...variables,
        ...tokens,
        messages,
        add_generation_prompt: addGenerationPrompt,
        // Templates ask whether they are none.
        tools: null,
        documents: null,
      });
    } catch (error) {
      // What `raise_exception` says is meant for whoever wrote the messages.
      const reason = error instanceof Error ? error.message : String(error);
      throw new ServerError('INVALID_INPUT', `The model's chat template refuses these messages: ${reason}`);
    }
  };
}

function parse(text: string): Template {
  try {
    return new Template(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
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
