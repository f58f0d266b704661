/** What a question is answered with, once that is not undefined: it is asked again and again, for a minute. Throws an Error that says what there should have been. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
): Promise<Answer> {
  const limitMs = performance.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > limitMs) throw new Error(`after a minute there is still not ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
