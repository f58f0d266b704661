/**
 * Goes on with what was just opened, and releases it if that fails: a session without an owner would keep its memory until the
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
