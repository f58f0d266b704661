import { readFile } from 'node:fs/promises';
import vm from 'node:vm';
import { Template } from '@huggingface/jinja';
import { messageOf, ServerError } from '../../errors.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Message } from './messages.ts';
import { skillsOf, templateMessages, templateTools, type TemplateSkills } from './tools/conversation.ts';
import { formatOfTemplate, toolFormat, type ToolFormat, type ToolFormatName } from './tools/formats.ts';
import type { ToolUse } from './tools/tool-use.ts';

export interface TemplateRequest {
  readonly messages: readonly Message[];
  readonly toolUse?: ToolUse | undefined;
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
  /** How the model writes calls of tools. */
  readonly toolFormat: ToolFormatName;
}

/** What is known of a model besides its files. */
export interface TemplateOptions {
  /** Default: told by the template's text. */
  readonly toolFormat?: ToolFormatName | undefined;
  readonly renderLimitMs?: number;
}

const RENDER_LIMIT_MS = 5000;
const TOKENS = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const;

/**
 * The chat template of a model: chat_template.jinja, else `chat_template` of tokenizer_config.json. Of several there, the one named `default`, and that named
 * `tool_use` for conversations with tools. Undefined where there is none. Throws a plain Error on one that cannot be read.
 */
export async function loadChatTemplate(
  files: Readonly<Record<string, string>>,
  tokenizer: TextTokenizer,
  options: TemplateOptions = {},
): Promise<ChatTemplate | undefined> {
  const file = files['chatTemplate'];
  const own = file === undefined ? tokenizer.config['chat_template'] : await readFile(file, 'utf8');
  const text = templateText(own, 'default');
  if (text === undefined) return undefined;
  const toolText = templateText(own, 'tool_use') ?? text;
  const plain = parse(text);
  const withTools = toolText === text ? plain : parse(toolText);
  const format = options.toolFormat ?? formatOfTemplate(toolText);
  const rules = { format: toolFormat(format), skills: skillsOf(toolText) };
  const tokens = Object.fromEntries(TOKENS.map((name) => [name, tokenizer.specialToken(name) ?? '']));
  const render = ({ messages, toolUse, addGenerationPrompt, variables }: TemplateRequest): string => {
    const hasTools = toolUse !== undefined || messages.some(hasCalls);
    const values = {
      ...variables,
      ...tokens,
      // Templates test for `none`.
      ...(hasTools ? toolValues(messages, toolUse, rules) : { messages, tools: null }),
      add_generation_prompt: addGenerationPrompt,
      documents: null,
    };
    return rendered(hasTools ? withTools : plain, values, options.renderLimitMs ?? RENDER_LIMIT_MS);
  };
  return Object.assign(render, { source: text, toolFormat: format });
}

function hasCalls({ role, tool_calls: calls }: Message): boolean {
  return role === 'tool' || calls !== undefined;
}

/** The messages and tools of a conversation with tools. */
function toolValues(
  messages: readonly Message[],
  toolUse: ToolUse | undefined,
  rules: { readonly format: ToolFormat; readonly skills: TemplateSkills },
): Readonly<Record<string, unknown>> {
  const tools = toolUse !== undefined && rules.skills.tools ? templateTools(toolUse) : null;
  return { messages: templateMessages(messages, { ...rules, toolUse }), tools };
}

function rendered(template: Template, values: Readonly<Record<string, unknown>>, limitMs: number): string {
  try {
    return inTime(() => template.render(values), limitMs);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new ServerError(
        'INVALID_INPUT',
        `The model's chat template does not end within ${limitMs / 1000} s on these messages.`,
      );
    // The text of `raise_exception` is meant for whoever wrote the messages.
    const reason = messageOf(error);
    throw new ServerError('INVALID_INPUT', `The model's chat template refuses these messages: ${reason}`);
  }
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

/** The template of a name, where there are several; the only one, or the first, is the default. */
function templateText(value: unknown, name: 'default' | 'tool_use'): string | undefined {
  if (typeof value === 'string') return name === 'default' ? value : undefined;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { name?: unknown; template?: unknown }[];
  const chosen = named.find((one) => one.name === name) ?? (name === 'default' ? named[0] : undefined);
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
