/**
 * Goes on with what was just opened, and releases it where that fails: a session that nobody holds any more would keep its memory until the
 * process ends.
 */
export async function releaseOnFailure<Opened extends { release(): Promise<void> }, Result>(
  opened: Opened,
  goOn: (opened: Opened) => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await goOn(opened);
  } catch (error) {
    // What failed first is the reason.
    await opened.release().catch(() => undefined);
    throw error;
  }
}
