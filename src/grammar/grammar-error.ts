/** What is wrong with a grammar, in words for whoever sent it. */
export class GrammarError extends Error {}

/** The grammar of what is asked for has too many states. */
export class TooManyStatesError extends GrammarError {}
