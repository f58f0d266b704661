import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSeconds } from './hooks.ts';
import { mediaProblem } from './media-problem.ts';
import { Problem } from './problem.tsx';

/** Browsers give the microphone to pages of https and of this machine alone. */
export function hasMicrophone(): boolean {
  return isSecureContext && typeof MediaRecorder === 'function' && 'mediaDevices' in navigator;
}

/** Records from the microphone until it is told to stop. */
export function Recorder({ onRecording }: { readonly onRecording: (file: File) => void }): JSX.Element {
  const recorder = useRef<MediaRecorder>(undefined);
  const [isOn, setOn] = useState(false);
  const [problem, setProblem] = useState('');
  const seconds = useSeconds(isOn);
  const end = (): void => {
    recorder.current?.stream.getTracks().forEach((track) => track.stop());
    recorder.current = undefined;
  };
  // Whoever leaves does not want to be heard any more.
  useEffect(() => end, []);
  const begin = async (): Promise<void> => {
    setProblem('');
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const made = new MediaRecorder(stream);
      const pieces: Blob[] = [];
      made.ondataavailable = ({ data }) => pieces.push(data);
      made.onstop = () => {
        setOn(false);
        const type = made.mimeType.split(';')[0] ?? '';
        end();
        if (pieces.length > 0) onRecording(new File(pieces, `recording.${type.split('/')[1] ?? 'webm'}`, { type }));
      };
      recorder.current = made;
      made.start();
      setOn(true);
    } catch (error) {
      setProblem(mediaProblem('microphone', error));
    }
  };
  return (
    <div class="play-source">
      {isOn ? (
        <button type="button" class="play-stop" onClick={() => recorder.current?.stop()}>
          Stop after {seconds} s
        </button>
      ) : (
        <button type="button" class="plain" onClick={() => void begin()}>
          Start recording
        </button>
      )}
      <Problem text={problem} />
    </div>
  );
}
