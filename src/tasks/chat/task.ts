import { ServerError } from '../../errors.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import { Grammars } from './grammars.ts';
import { FORM_PARAMETERS } from './response-format.ts';
import type { Item, Prepared, Task, TaskSource } from '../task.ts';
import { textCalls } from '../text/calls.ts';
import { loadTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { Answer, type AnswerMemo, type ToolMemo } from './answer.ts';
import { formOf } from './form.ts';
import type { GenerationParameters } from './generation.ts';
import { infillOf, type Infill } from './infill.ts';
import { readChatModel, stopTokensOf, type ChatModel } from './model.ts';
import { readChatParameters, readPrompt, type ChatParameters, type Prompt } from './request.ts';
import { answerServing } from './serve-answer.ts';
import { thinkingAfter, thoughtMarksOf, type Thinking } from './reasoning.ts';
import { loadChatTemplate, type ChatTemplate } from './template.ts';
import { markersOf, toolFormat } from './tools/formats.ts';
import { textArguments } from './tools/tool-use.ts';

/**
 * Takes a conversation or a prompt and gives the model's answer, token by token. An item's cost is the tokens of its prompt and of the longest
 * answer it may get: the most that its keys and values can take.
 */

/** Bare prompts up to this many UTF-16 units, parameters included, are made into tokens on the main thread. */
const LIGHT_CHARACTERS = 400;
/** A whole answer becomes text in well under a millisecond up to about 500 tokens. */
const LIGHT_REPLY_BYTES = 2048;

/** Builds the task. Throws a plain Error on a folder that is not a chat model. */
export async function createChatTask(source: TaskSource): Promise<Task> {
  const model = await readChatModel(source);
  const tokenizer = await loadTokenizer(source.files);
  const template = await loadChatTemplate(source.files, tokenizer, { toolFormat: model.toolFormat });
  const stopTokens = stopTokensOf(model, tokenizer, template?.toolFormat);
  const grammars = new Grammars(tokenizer, stopTokens);
  const parts: ChatParts = { model, tokenizer, template, stopTokens, grammars, ...abilitiesOf(tokenizer, template) };
  const prepare = (item: Item): Prepared => prepareChat(item, parts);
  return {
    rawTypes: [],
    isLight,
    prepare,
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => {
      const answer = new Answer(tokenizer, memo as AnswerMemo);
      answer.takeOutputs(outputs);
      return answer.reply();
    },
    ...answerServing(tokenizer, { prepare, isLight }),
    calls: {
      ...textCalls({
        tokenizer,
        maxCharacters: model.maxCharacters,
        info: { maxInputLength: model.program.contextTokens },
      }),
      prepare,
    },
  };
}

interface ChatParts {
  readonly model: ChatModel;
  readonly tokenizer: TextTokenizer;
  readonly template: ChatTemplate | undefined;
  readonly stopTokens: readonly number[];
  readonly grammars: Grammars;
  /** Marks around what the model thinks before it answers, if it does. */
  readonly marks: ReturnType<typeof thoughtMarksOf>;
  /** Absent: the model cannot fill in the middle. */
  readonly infill: Infill | undefined;
}

function abilitiesOf(
  tokenizer: TextTokenizer,
  template: ChatTemplate | undefined,
): Pick<ChatParts, 'marks' | 'infill'> {
  return {
    marks: template === undefined ? undefined : thoughtMarksOf(template.source, tokenizer),
    infill: infillOf(tokenizer),
  };
}

function prepareChat(item: Item, parts: ChatParts): Prepared {
  const { model, tokenizer } = parts;
  const { contextTokens } = model.program;
  const asked = readChatParameters(item, model);
  const prompt = readPrompt(item, model.maxCharacters);
  const { ids, thinking, ends = [] } = promptIds(prompt, asked, parts);
  const room = contextTokens - ids.length;
  if (room < Math.min(1, asked.maxTokens)) throw contextExceeded(prompt, String(ids.length), contextTokens);
  const maxTokens = Math.min(asked.maxTokens, room);
  const { sampling, topLogprobs } = asked;
  const grammar = formOf({ item, prompt, asked, maxTokens }, parts);
  const wantsPrompt = asked.echo && topLogprobs !== undefined;
  const own = asked.ignoreEnd && grammar === undefined ? [] : [...parts.stopTokens, ...ends];
  const stopTokens = [...new Set([...own, ...asked.stopTokens])];
  const fewest = asked.minTokens === 0 || grammar !== undefined ? {} : { minTokens: asked.minTokens };
  const parameters: GenerationParameters = {
    sampling,
    maxTokens,
    stopTokens,
    ...fewest,
    ...(grammar === undefined ? {} : { grammar }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
    ...(wantsPrompt ? { promptLogprobs: true } : {}),
  };
  const memo: AnswerMemo = {
    promptTokens: ids.length,
    stopTokens,
    stop: asked.stop,
    ...fewest,
    ...(asked.keepsStop ? { keepsStop: true } : {}),
    ...(thinking === undefined ? {} : { thinking }),
    logprobs: topLogprobs !== undefined,
    echo: asked.echo ? echoed(prompt, tokenizer) : '',
    ...(wantsPrompt ? { prompt: ids } : {}),
    ...toolMemo(prompt, parts),
  };
  return {
    inputs: { prompt: fromTypedArray('INT32', [1, ids.length], Int32Array.from(ids)) },
    parameters,
    cost: ids.length + maxTokens,
    bucket: '',
    memo,
  };
}

function toolMemo(prompt: Prompt, { template, tokenizer }: ChatParts): { readonly tools?: ToolMemo } {
  if (!('toolUse' in prompt) || prompt.toolUse === undefined || template === undefined) return {};
  const { toolFormat: format } = template;
  const { tools, parallel } = prompt.toolUse;
  const ids = markersOf(toolFormat(format)).flatMap((marker) => tokenizer.tokenToId(marker) ?? []);
  const markers = ids.filter((id) => tokenizer.specialIds.has(id));
  const texts = toolFormat(format).notation === undefined ? {} : { texts: textArguments(tools) };
  return { tools: { format, names: tools.map(({ name }) => name), ...texts, parallel, markers } };
}

interface EncodedPrompt {
  readonly ids: readonly number[];
  readonly thinking?: Thinking | undefined;
  /** Tokens that end the answer to this prompt, besides the model's own. */
  readonly ends?: readonly number[];
}

/** Token ids of a prompt. Throws INVALID_INPUT where there is nothing to continue. */
function promptIds(
  prompt: Prompt,
  asked: ChatParameters,
  { tokenizer, template, model, marks, infill }: ChatParts,
): EncodedPrompt {
  const { contextTokens } = model.program;
  // Tokenising a long text takes a hundred times as long as finding out that it has too many tokens.
  const fitting = (text: string): string => {
    const least = text.length > contextTokens ? tokenizer.leastTokens(text) : 0;
    if (least > contextTokens) throw contextExceeded(prompt, `at least ${least}`, contextTokens);
    return text;
  };
  if ('messages' in prompt) {
    if (asked.echo)
      throw new ServerError('INVALID_INPUT', 'Parameter "echo": only a prompt can be echoed.', { param: 'echo' });
    if (template === undefined)
      throw new ServerError('INVALID_INPUT', 'This model has no chat template: send a prompt instead of messages.', {
        param: 'messages',
      });
    const { addGenerationPrompt, templateVariables } = asked;
    const { messages, toolUse } = prompt;
    const text = template({ messages, toolUse, addGenerationPrompt, variables: templateVariables });
    // A template writes the special tokens itself.
    const ids = nonEmpty(tokenizer.encode(fitting(text), { addSpecialTokens: false }), tokenizer);
    // An answer of a given form has nothing before it.
    const isFormed = asked.grammar !== undefined || toolUse?.forced === true;
    return marks === undefined || isFormed ? { ids } : { ids, thinking: thinkingAfter(text, marks) };
  }
  if ('suffix' in prompt) {
    if (infill === undefined)
      throw new ServerError('INVALID_INPUT', "The model's tokenizer has no tokens to fill in the middle.", {
        ...{ param: 'suffix', reason: 'unsupported_parameter' },
      });
    if (asked.echo)
      throw new ServerError('INVALID_INPUT', 'Parameter "echo": does not go with a suffix.', { param: 'echo' });
    return { ids: infill.encode(fitting(prompt.prompt), fitting(prompt.suffix)), ends: infill.stopTokens };
  }
  if (typeof prompt.prompt === 'string') return { ids: nonEmpty(tokenizer.encode(fitting(prompt.prompt)), tokenizer) };
  const wrong = prompt.prompt.find((id) => tokenizer.idToToken(id) === undefined);
  if (wrong !== undefined)
    throw new ServerError('INVALID_INPUT', `The model has no token ${wrong}.`, { param: 'prompt' });
  return { ids: prompt.prompt };
}

function contextExceeded(prompt: Prompt, tokens: string, contextTokens: number): ServerError {
  return new ServerError(
    'INVALID_INPUT',
    `The prompt has ${tokens} tokens; prompt and answer together can have ${contextTokens}.`,
    { param: 'messages' in prompt ? 'messages' : 'prompt', reason: 'context_length_exceeded' },
  );
}

/** A prompt of no tokens starts from the token that begins texts. */
function nonEmpty(ids: readonly number[], tokenizer: TextTokenizer): readonly number[] {
  if (ids.length > 0) return ids;
  const begin = tokenizer.specialToken('bos_token');
  const id = begin === undefined ? undefined : tokenizer.tokenToId(begin);
  if (id === undefined) throw new ServerError('INVALID_INPUT', 'The prompt is empty.', { param: 'prompt' });
  return [id];
}

function echoed(prompt: Prompt, tokenizer: TextTokenizer): string {
  if ('messages' in prompt) return '';
  return typeof prompt.prompt === 'string'
    ? prompt.prompt
    : tokenizer.decode(prompt.prompt, { skipSpecialTokens: true });
}

/** Whether an item may be prepared on the main thread. A conversation never is: it goes through the model's template, which may loop; nor is the form of an answer. */
function isLight(item: Item): boolean {
  if (item.kind === 'raw') return true;
  const isPrompt = isObject(item.value) && !Object.hasOwn(item.value, 'messages');
  if (FORM_PARAMETERS.some((name) => item.parameters?.[name] !== undefined)) return false;
  return isPrompt && lengthOf(item.value) + lengthOf(item.parameters) <= LIGHT_CHARACTERS;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Counts characters, numbers and names in a JSON value, and stops once there are clearly many. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (!isObject(value)) return 1;
  let length = 0;
  for (const name in value) {
    length += 1 + lengthOf((value as Readonly<Record<string, unknown>>)[name]);
    if (length > LIGHT_CHARACTERS) break;
  }
  return length;
}
