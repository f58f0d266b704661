import type { ServeContext } from '../task.ts';
import type { OpenAudio } from './decode-audio.ts';
import type { Pace } from './pace.ts';
import type { Recording } from './recording.ts';
import { wholeTimes } from './speech-gate.ts';

/** For longer audio, the pace is checked as it goes: can it be transcribed in time? */
const LONG_SECONDS = 240;

export interface PacedParts {
  readonly recording: Recording;
  readonly audio: Pick<OpenAudio, 'seconds'>;
  readonly context: Pick<ServeContext, 'leftMs'>;
  readonly pace: Pace;
}

/**
 * Hears a recording group by group (`Recording.forEachGroup`). `hear` calls `onHeard` with the seconds that it has heard; that throws TOO_LARGE once
 * the rest of a long recording will not be heard in time.
 */
export async function hearInTime(
  { recording, audio, context, pace }: PacedParts,
  hear: (from: number, to: number, onHeard: (seconds: number) => void) => Promise<void>,
): Promise<void> {
  const isLong = audio.seconds > LONG_SECONDS;
  let heardSeconds = 0;
  const onHeard = (seconds: number): void => {
    heardSeconds += seconds;
    if (!isLong) return;
    pace.heard();
    const { end } = wholeTimes({ start: 0, end: heardSeconds }, recording.stretches);
    pace.check(audio.seconds - end, context.leftMs());
  };
  if (isLong) pace.begin();
  try {
    await recording.forEachGroup((from, to) => hear(from, to, onHeard));
  } finally {
    if (isLong) pace.end();
  }
}
