const DEFAULT_MS = 2000;

/** How long one fuzz test may run; FUZZ_MS sets another time, e.g. for a night. */
export function fuzzBudgetMs(): number {
  const given = Number(process.env['FUZZ_MS']);
  return Number.isFinite(given) && given > 0 ? given : DEFAULT_MS;
}
