/** Runs `work` with a signal that is aborted when the outer one is, after `limitMs` (with the error of `late`), and when the work has ended: nothing of it goes on. */
export async function within<Result>(
  { signal, limitMs, late }: { signal: AbortSignal | undefined; limitMs: number; late: () => Error },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(late()), limitMs);
  try {
    return await work(AbortSignal.any([end.signal, ...(signal === undefined ? [] : [signal])]));
  } catch (error) {
    end.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}
