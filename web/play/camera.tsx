import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { mediaProblem } from './media-problem.ts';
import { Problem } from './problem.tsx';

/** Browsers give the camera to pages of https and of this machine alone. */
export function hasCamera(): boolean {
  return isSecureContext && 'mediaDevices' in navigator;
}

/** Shows what the camera sees, and takes a picture of it. */
export function Camera({ onPicture }: { readonly onPicture: (file: File) => void }): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isGone = false;
    const stop = (): void => stream?.getTracks().forEach((track) => track.stop());
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).then(
      (given) => {
        stream = given;
        if (isGone) stop();
        else if (video.current !== null) video.current.srcObject = given;
      },
      (error: unknown) => setProblem(mediaProblem('camera', error)),
    );
    return () => {
      isGone = true;
      stop();
    };
  }, []);
  const take = (): void => {
    const { current } = video;
    if (current === null || current.videoWidth === 0) return;
    const canvas = document.createElement('canvas');
    canvas.width = current.videoWidth;
    canvas.height = current.videoHeight;
    canvas.getContext('2d')?.drawImage(current, 0, 0);
    canvas.toBlob((blob) => {
      if (blob !== null) onPicture(new File([blob], 'photo.jpg', { type: 'image/jpeg' }));
    }, 'image/jpeg');
  };
  if (problem !== '') return <Problem text={problem} />;
  return (
    <div class="play-source">
      <video ref={video} autoplay muted playsInline aria-label="What the camera sees" />
      <button type="button" class="plain" onClick={take}>
        Take a picture
      </button>
    </div>
  );
}
