import type { TextTokenizer } from '../text/tokenizer.ts';

/** Fill in the middle: prompts for the text between a prefix and a suffix (Bavarian et al., arXiv 2207.14255). */

interface InfillFormat {
  readonly prefix: string;
  readonly suffix: string;
  /** Begins the text in the middle; without it, the suffix comes first and the prefix last. */
  readonly middle?: string;
  /** Tokens besides the model's own that end the text in the middle. */
  readonly ends: readonly string[];
  /** SentencePiece puts a space before each text that it encodes; the suffix goes on without one. */
  readonly spaced?: boolean;
}

/** The tokens that families of models were trained with. */
const FORMATS: readonly InfillFormat[] = [
  // Qwen Coder, CodeGemma, Yi-Coder, Granite.
  {
    ...{ prefix: '<|fim_prefix|>', suffix: '<|fim_suffix|>', middle: '<|fim_middle|>' },
    ends: ['<|endoftext|>', '<|fim_pad|>', '<|file_sep|>', '<|repo_name|>', '<|file_separator|>'],
  },
  // StarCoder, Granite Code, Stable Code.
  {
    ...{ prefix: '<fim_prefix>', suffix: '<fim_suffix>', middle: '<fim_middle>' },
    ends: ['<|endoftext|>', '<fim_pad>', '<file_sep>', '<repo_name>'],
  },
  // SantaCoder.
  {
    ...{ prefix: '<fim-prefix>', suffix: '<fim-suffix>', middle: '<fim-middle>' },
    ends: ['<|endoftext|>', '<fim-pad>'],
  },
  // DeepSeek Coder: the hole stands where the middle was.
  { prefix: '<｜fim▁begin｜>', suffix: '<｜fim▁hole｜>', middle: '<｜fim▁end｜>', ends: [] },
  // Code Llama.
  { prefix: '▁<PRE>', suffix: '▁<SUF>', middle: '▁<MID>', ends: ['▁<EOT>'], spaced: true },
  // GLM 4.5, CodeGeeX.
  {
    ...{ prefix: '<|code_prefix|>', suffix: '<|code_suffix|>', middle: '<|code_middle|>' },
    ends: ['<|endoftext|>', '<|user|>'],
  },
  // Codestral.
  { prefix: '[PREFIX]', suffix: '[SUFFIX]', ends: [] },
];

/** The fill-in-the-middle prompts of a model. */
export interface Infill {
  /** Tokens that end the text in the middle, besides the model's own. */
  readonly stopTokens: readonly number[];
  /** Ids of the prompt for what lies between two texts. */
  encode(prefix: string, suffix: string): number[];
}

/** How a model fills in the middle, by the tokens that its vocabulary has; undefined for a model that cannot. */
export function infillOf(tokenizer: TextTokenizer): Infill | undefined {
  const idOf = (token: string | undefined): number[] => {
    const id = token === undefined ? undefined : tokenizer.tokenToId(token);
    return id === undefined ? [] : [id];
  };
  for (const { prefix, suffix, middle, ends, spaced = false } of FORMATS) {
    const marks = [prefix, suffix, middle].map(idOf);
    const [begin = [], hole = [], fill = []] = marks;
    if (marks.flat().length < (middle === undefined ? 2 : 3)) continue;
    return {
      stopTokens: [...ends.flatMap(idOf), ...marks.flat()],
      encode(before, after) {
        const first = [...begin, ...tokenizer.encode(before, { addSpecialTokens: false })];
        const last = [
          ...hole,
          ...(spaced ? encodeInside(after, tokenizer) : tokenizer.encode(after, { addSpecialTokens: false })),
        ];
        return tokenizer.frame(middle === undefined ? [...last, ...first] : [...first, ...last, ...fill]).ids;
      },
    };
  }
  return undefined;
}

/** Ids of a text as it is encoded behind a line break, without what stands before a text that begins one. */
function encodeInside(text: string, tokenizer: TextTokenizer): number[] {
  const encode = (one: string): number[] => tokenizer.encode(one, { addSpecialTokens: false });
  const before = encode('\n');
  const both = encode(`\n${text}`);
  return before.every((id, at) => both[at] === id) ? both.slice(before.length) : encode(text);
}
