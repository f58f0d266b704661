/** What is wrong with a grammar, in words for whoever sent it. */
export class GrammarError extends Error {}
