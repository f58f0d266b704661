import { ServerError } from '../../errors.ts';
import { shortestAnswer, type CompiledGrammar } from '../../grammar/compiled.ts';
import type { GrammarSpec } from '../../grammar/spec.ts';
import type { Item } from '../task.ts';
import type { Grammars } from './grammars.ts';
import type { ChatParameters, Prompt } from './request.ts';
import { FORM_PARAMETERS } from './response-format.ts';
import type { ChatTemplate } from './template.ts';
import { grammarOfCalls } from './tools/call-grammar.ts';
import { toolFormat } from './tools/formats.ts';

export interface Asked {
  readonly item: Item;
  readonly prompt: Prompt;
  readonly asked: ChatParameters;
  /** Tokens that there are for the answer. */
  readonly maxTokens: number;
}

/** What the answer must look like, compiled; undefined: any text. Throws INVALID_INPUT if it cannot be had, or not in so few tokens. */
export function formOf(
  { item, prompt, asked, maxTokens }: Asked,
  { template, grammars }: { template: ChatTemplate | undefined; grammars: Grammars },
): CompiledGrammar | undefined {
  const spec = specOf(prompt, asked, template);
  if (spec === undefined || maxTokens === 0) return undefined;
  const param =
    spec === asked.grammar ? FORM_PARAMETERS.find((name) => item.parameters?.[name] !== undefined) : 'tools';
  const grammar = grammars.of(spec, param ?? 'tools');
  const least = shortestAnswer(grammar);
  if (least > maxTokens)
    throw new ServerError(
      'INVALID_INPUT',
      `An answer of this form may need ${least} tokens, and there are ${maxTokens} for it: raise max_tokens or shorten the prompt.`,
      { param: 'max_tokens', reason: 'invalid_value' },
    );
  return grammar;
}

/** Calls, where the request wants them, or what it asks for; either where it may be both. */
function specOf(prompt: Prompt, asked: ChatParameters, template: ChatTemplate | undefined): GrammarSpec | undefined {
  if (template === undefined || !('toolUse' in prompt)) return asked.grammar;
  return grammarOfCalls(prompt.toolUse, toolFormat(template.toolFormat), asked.grammar);
}
