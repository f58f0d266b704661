/** What an answer must look like, as plain data that any thread can read. Texts of schemas are JSON. */
export type GrammarSpec =
  /** Any JSON object. */
  | { readonly kind: 'json' }
  /** A JSON value that a JSON Schema allows. */
  | { readonly kind: 'schema'; readonly schema: string }
  /** A text that a regular expression of ECMAScript matches as a whole, or one that an EBNF grammar (GBNF) derives from `root`. */
  | { readonly kind: 'regex' | 'ebnf'; readonly text: string }
  /** One of these texts. */
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | CallsSpec;

/**
 * Calls of tools in a model's own notation: `before`, one or more calls with `separator` between them, `after`. Texts may spell special tokens of the
 * tokenizer, which the model then writes as such.
 */
export interface CallsSpec {
  readonly kind: 'calls';
  readonly calls: readonly CallSpec[];
  readonly before?: string;
  readonly separator?: string;
  readonly after?: string;
  /** At most so many calls; default: one. */
  readonly most?: number;
  /**
   * The model may also answer in words, alone or in front of the calls. A text that holds this trigger, with which `before` or each call must begin, becomes
   * calls from there on.
   */
  readonly trigger?: string;
  /** The answer may have this form instead of calls. */
  readonly otherwise?: GrammarSpec;
}

export interface CallSpec {
  /** The text in front of the arguments, with the tool's name in it. */
  readonly begin: string;
  /** JSON Schema of the arguments. */
  readonly schema: string;
  /** Where the schema cannot be held to, any JSON object will do; else the spec is refused. */
  readonly loose?: boolean;
  /** The text behind the arguments. */
  readonly end: string;
}
