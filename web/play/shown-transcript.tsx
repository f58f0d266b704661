import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useObjectUrl } from './hooks.ts';
import type { Transcript } from './types.ts';

/** A text that was heard, beside its recording: words and segments lead to where they were said. */
export function TranscriptShown({
  transcript,
  sent,
}: {
  readonly transcript: Transcript;
  readonly sent: Blob | undefined;
}): JSX.Element {
  const player = useRef<HTMLAudioElement>(null);
  const [at, setAt] = useState(-1);
  const url = useObjectUrl(sent);
  const { text, words, segments, language, duration } = transcript;
  const play = (second: number): void => {
    const { current } = player;
    if (current === null) return;
    current.currentTime = second;
    void current.play().catch(() => undefined);
  };
  return (
    <>
      {url !== undefined && (
        <audio
          ref={player}
          controls
          src={url}
          aria-label="The recording"
          onTimeUpdate={({ currentTarget }) => setAt(currentTarget.currentTime)}
        />
      )}
      {words.length === 0 ? (
        <p class="play-text">{text.trim() === '' ? 'The model heard no speech.' : text}</p>
      ) : (
        <Words words={words} at={at} onPlay={play} />
      )}
      {segments.length > 1 && (
        <ol class="play-segments">
          {segments.map(({ start, end, text: part }, index) => (
            <li key={index}>
              <button type="button" class="play-time" onClick={() => play(start)}>
                {clock(start)} to {clock(end)}
              </button>{' '}
              {part}
            </li>
          ))}
        </ol>
      )}
      <p class="play-help">
        {[
          language,
          duration === undefined ? undefined : `${duration.toFixed(1)} s of sound`,
          words.length > 0 ? `${words.length} ${words.length === 1 ? 'word' : 'words'}` : undefined,
        ]
          .filter((one) => one !== undefined)
          .join(', ')}
      </p>
    </>
  );
}

interface WordsProps {
  readonly words: Transcript['words'];
  /** The second that is heard now. */
  readonly at: number;
  readonly onPlay: (second: number) => void;
}

function Words({ words, at, onPlay }: WordsProps): JSX.Element {
  return (
    <p class="play-words">
      {words.map(({ word, start, end }, index) => (
        <button
          key={index}
          type="button"
          class={at >= start && at < end ? 'play-word is-now' : 'play-word'}
          title={`${start.toFixed(2)} to ${end.toFixed(2)} s`}
          onClick={() => onPlay(start)}
        >
          {word.trim()}
        </button>
      ))}
    </p>
  );
}

function clock(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, '0')}`;
}
