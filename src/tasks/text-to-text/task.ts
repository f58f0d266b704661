import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ServerError } from '../../errors.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import { Answer, type AnswerMemo } from '../chat/answer.ts';
import { answerServing } from '../chat/serve-answer.ts';
import type { CreateTask, Item, Prepared, Task, TaskSource } from '../task.ts';
import { textCalls } from '../text/calls.ts';
import { TokenEncoder } from '../text/encode.ts';
import { TEXT_TYPES, readText } from '../text/text-input.ts';
import { isLightText } from '../text/text-items.ts';
import { loadTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { readTaskConfig, type TaskConfig } from './generation-config.ts';
import { languageNames, readLanguages, type Languages } from './languages.ts';
import { readTextToTextModel, type TextToTextModel } from './model-files.ts';
import { readTextToTextRequest } from './request.ts';
import { SOURCE } from './work.ts';

/**
 * A text made of a text by an encoder and a decoder (T5, Marian, NLLB, BART and their kin): a translation, a summary, or whatever the model was trained for. An item's cost is the
 * tokens of its source and of the longest text it may get, for each beam: the most that its keys and values can take.
 */

/** A whole text is put together in well under a millisecond up to about 500 tokens. */
const LIGHT_REPLY_BYTES = 2048;

/** The tasks, which differ in what they put before a source. */
export type TextToTextName = 'text2text-generation' | 'summarization' | 'translation';

/** Builds the task of this name. Throws a plain Error on a folder that is not such a model. */
export function createTextToTextTask(name: TextToTextName): CreateTask {
  return async (source) => {
    const parts = await readParts(source, name);
    const { tokenizer, model } = parts;
    const prepare = (item: Item): Prepared => prepareText(item, parts);
    return {
      rawTypes: TEXT_TYPES,
      isLight: isLightText,
      prepare,
      isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
      finish: (outputs, memo) => {
        const answer = new Answer(tokenizer, memo as AnswerMemo);
        answer.takeOutputs(outputs);
        return answer.reply();
      },
      ...answerServing(tokenizer, { prepare, isLight: isLightText }),
      calls: {
        ...textCalls({
          tokenizer,
          maxCharacters: model.own.maxCharacters,
          info: { maxInputLength: model.program.maxSourceTokens },
        }),
        prepare,
        languages: () => languageNames(tokenizer, model.config),
      },
    } satisfies Task;
  };
}

interface TextParts {
  readonly model: TextToTextModel;
  readonly tokenizer: TextTokenizer;
  readonly encoder: TokenEncoder;
  readonly languages: Languages;
  /** What comes before every source. */
  readonly prefix: string;
  /** Settings of the task in config.json. */
  readonly taskConfig: TaskConfig | undefined;
}

async function readParts(source: TaskSource, name: TextToTextName): Promise<TextParts> {
  if (source.files['tokenizer'] === undefined) throw withoutTokenizer(source.folder);
  const model = await readTextToTextModel(source);
  const { config, generation, own, program } = model;
  const tokenizer = await loadTokenizer(source.files);
  const taskConfig = readTaskConfig(config, name);
  return {
    ...{ model, tokenizer, taskConfig },
    encoder: new TokenEncoder(tokenizer, {
      maxLength: program.maxSourceTokens,
      maxCharacters: own.maxCharacters,
      fixedLength: undefined,
    }),
    languages: readLanguages(tokenizer, { config, needed: name === 'translation' }),
    prefix: own.prefix ?? taskConfig?.prefix ?? generation.prefix ?? '',
  };
}

/** Files of slow tokenizers, of which transformers alone can make a tokenizer. */
const SLOW_FILES = ['source.spm', 'target.spm', 'sentencepiece.bpe.model', 'spiece.model', 'vocab.json'];

function withoutTokenizer(folder: string): Error {
  const found = SLOW_FILES.filter((file) => existsSync(join(folder, file)));
  const only = found.length === 0 ? '' : `, only ${found.join(', ')}`;
  return new Error(
    `the model has no tokenizer.json (files.tokenizer)${only}: take the folder as it was converted for transformers.js, or, for other models than Marian and M2M100, write the file by transformers' AutoTokenizer.from_pretrained(...).save_pretrained(...)`,
  );
}

function prepareText(item: Item, parts: TextParts): Prepared {
  const { model, encoder, config, languages } = { ...parts, config: parts.model.config };
  const asked = readTextToTextRequest(item, model);
  const { prefix: languagePrefix, taskName, mark, forcedFirst } = languages(asked.languages);
  const taskConfig = taskName === undefined ? parts.taskConfig : readTaskConfig(config, taskName);
  const ticket = asked.ticket(taskConfig, forcedFirst);
  const text = readText(sourceItem(item), model.own.maxCharacters);
  const prefix = languagePrefix ?? parts.prefix;
  const { ids: framed } = encoder.single(prefix + text, { truncate: asked.truncate, direction: 'right' });
  const ids = mark === undefined ? framed : mark(framed);
  const memo: AnswerMemo = {
    promptTokens: ids.length,
    stopTokens: ticket.endTokens,
    stop: asked.stop,
    ...(asked.keepsStop ? { keepsStop: true } : {}),
    logprobs: false,
    echo: '',
  };
  return {
    inputs: { [SOURCE]: fromTypedArray('INT32', [1, ids.length], Int32Array.from(ids)) },
    parameters: ticket,
    cost: (ids.length + ticket.maxTokens) * (ticket.search?.beams ?? 1),
    bucket: '',
    memo,
  };
}

/** APIs of text generation call the source a prompt. */
function sourceItem(item: Item): Item {
  if (item.kind === 'raw' || typeof item.value !== 'object' || item.value === null) return item;
  const { prompt, suffix, ...others } = item.value as Readonly<Record<string, unknown>>;
  if (prompt === undefined) return item;
  if (suffix !== undefined)
    throw new ServerError('INVALID_INPUT', 'This model does not fill in the middle: it takes no suffix.', {
      ...{ param: 'suffix', reason: 'unsupported_parameter' },
    });
  if (typeof prompt !== 'string' || Object.keys(others).length > 0)
    throw new ServerError('INVALID_INPUT', 'This model takes one text as its prompt.', { param: 'prompt' });
  return { ...item, value: prompt };
}
