import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';

/** What the views of the playground have in common. */

/** The address of bytes for an `img`, an `audio` or a link; given back when others take their place, or the view goes. */
export function useObjectUrl(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (blob === undefined) {
      setUrl(undefined);
      return;
    }
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

/** Bytes of a reply as a blob, the same one as long as they are the same. */
export function useBlob(bytes: Uint8Array, type: string): Blob {
  return useMemo(() => new Blob([bytes as Uint8Array<ArrayBuffer>], { type }), [bytes, type]);
}

/** Runs one task at a time. A new one ends the one before; the view that goes ends the last. */
export function useTask(): {
  readonly isBusy: boolean;
  readonly start: (task: (signal: AbortSignal) => Promise<void>) => void;
  readonly stop: () => void;
} {
  const running = useRef<AbortController>(undefined);
  const [isBusy, setBusy] = useState(false);
  const stop = useCallback(() => running.current?.abort(), []);
  const start = useCallback((task: (signal: AbortSignal) => Promise<void>) => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setBusy(true);
    void task(controller.signal).finally(() => {
      if (running.current === controller) setBusy(false);
    });
  }, []);
  useEffect(() => () => running.current?.abort(), []);
  return { isBusy, start, stop };
}

/** Seconds since `isRunning` became true, for people who wait; 0 otherwise. */
export function useSeconds(isRunning: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    setSeconds(0);
    if (!isRunning) return;
    const begun = performance.now();
    const timer = setInterval(() => setSeconds(Math.floor((performance.now() - begun) / 1000)), 250);
    return () => clearInterval(timer);
  }, [isRunning]);
  return seconds;
}

/** Seconds until a moment of `performance.now()`, rounded up; 0 when it has passed. */
export function useCountdown(untilMs: number | undefined): number {
  const left = (): number => (untilMs === undefined ? 0 : Math.max(0, Math.ceil((untilMs - performance.now()) / 1000)));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    if (untilMs === undefined) return;
    const timer = setInterval(() => {
      setSeconds(left());
      if (left() === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [untilMs]);
  return seconds;
}

/** A number that names elements for each other: labels and what they are for. */
let named = 0;
export function useName(prefix: string): string {
  const [name] = useState(() => `${prefix}-${(named += 1)}`);
  return name;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pictures with fewer pixels a side are drawn larger, so that they can be seen. */
const SMALL = 128;

/** The size of an image that has been loaded, which is marked if it is small. */
export function markSmall({ currentTarget: image }: { readonly currentTarget: HTMLImageElement }): Size {
  const { naturalWidth: width, naturalHeight: height } = image;
  image.classList.toggle('is-small', Math.max(width, height) <= SMALL);
  return { width, height };
}
