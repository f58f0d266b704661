import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { request } from '../api.ts';
import { Camera, hasCamera } from './camera.tsx';
import { DrawingBoard } from './drawing-board.tsx';
import { useName, useObjectUrl } from './hooks.ts';
import { madeFile } from './made-files.ts';
import { Problem } from './problem.tsx';
import { hasMicrophone, Recorder } from './recorder.tsx';
import type { ExampleFile, FileField, PickedFile } from './types.ts';

/** Pictures and recordings: dropped, chosen, pasted, drawn, photographed, recorded, or the model's example. */

interface FilesProps {
  readonly field: Pick<FileField, 'of' | 'isMany' | 'example' | 'label'>;
  readonly files: readonly PickedFile[];
  readonly onChange: (files: readonly PickedFile[]) => void;
  /** Proportions of what is drawn: width over height. */
  readonly boardRatio?: number;
}

type Source = 'camera' | 'board' | 'microphone';

export function FilesInput({ field, files, onChange, boardRatio = 1 }: FilesProps): JSX.Element {
  const [source, setSource] = useState<Source>();
  const [problem, setProblem] = useState('');
  const { isMany = false, of } = field;
  const add = (given: readonly File[]): void => {
    const fitting = given.filter((file) => fits(file, of));
    setProblem(
      wrongFiles(
        given.filter((file) => !fitting.includes(file)),
        of,
      ),
    );
    if (fitting.length === 0) return;
    onChange(isMany ? [...files, ...fitting] : fitting.slice(0, 1));
  };
  const taken = (file: File): void => {
    setSource(undefined);
    add([madeFile(file, isMany ? files : [])]);
  };
  usePaste(add);
  return (
    <div class="play-files">
      <DropPlace of={of} isMany={isMany} label={field.label} onFiles={add} />
      <div class="play-buttons">
        {field.example !== undefined && <ExampleButton example={field.example} onFile={taken} />}
        {of === 'image' && <SourceButton name="board" is={source} onChoose={setSource} label="Draw" />}
        {of === 'image' && hasCamera() && (
          <SourceButton name="camera" is={source} onChoose={setSource} label="Camera" />
        )}
        {of === 'audio' && hasMicrophone() && (
          <SourceButton name="microphone" is={source} onChoose={setSource} label="Record" />
        )}
      </div>
      {!isSecureContext && (
        <p class="play-help">
          The browser gives the {of === 'image' ? 'camera' : 'microphone'} only to pages from https or localhost.
        </p>
      )}
      <Problem text={problem} />
      {source === 'board' && <DrawingBoard ratio={boardRatio} onPicture={taken} />}
      {source === 'camera' && <Camera onPicture={taken} />}
      {source === 'microphone' && <Recorder onRecording={taken} />}
      <ul class="play-picked">
        {files.map((file, index) => (
          <PickedRow
            key={`${index} ${file.name}`}
            file={file}
            of={of}
            onRemove={() => onChange(files.toSpliced(index, 1))}
          />
        ))}
      </ul>
    </div>
  );
}

/** Files without a type may be anything. */
function fits({ type }: File, of: FileField['of']): boolean {
  return (
    type === '' ||
    type.startsWith(`${of}/`) ||
    (of === 'audio' && type.startsWith('video/')) ||
    type === 'application/ogg'
  );
}

const MANY = { image: 'pictures', audio: 'recordings' } as const;
const WHAT = { image: 'a picture', audio: 'a recording' } as const;

/** What is said of files that do not fit; '' of none. */
function wrongFiles(files: readonly File[], of: FileField['of']): string {
  return files.map(({ name, type }) => `${name} (${type}) is not ${WHAT[of]}.`).join(' ');
}

/** What is pasted anywhere in the page while the field is there, unless it is text for a text field. */
function usePaste(add: (files: readonly File[]) => void): void {
  const latest = useRef(add);
  latest.current = add;
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      latest.current(files);
    };
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  }, []);
}

function DropPlace({
  of,
  isMany,
  label,
  onFiles,
}: {
  of: FileField['of'];
  isMany: boolean;
  label: string;
  onFiles: (files: readonly File[]) => void;
}): JSX.Element {
  const id = useName('files');
  const [isOver, setOver] = useState(false);
  const what = isMany ? MANY[of] : WHAT[of];
  return (
    <div
      class={isOver ? 'play-drop is-over' : 'play-drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onFiles([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <input
        type="file"
        id={id}
        class="play-file-input"
        aria-label={label}
        accept={of === 'image' ? 'image/*' : 'audio/*,video/*'}
        multiple={isMany}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          // The same file may be chosen again.
          event.currentTarget.value = '';
        }}
      />
      <label for={id}>
        Drop {what} here, paste, or <span class="play-link">choose {isMany ? 'files' : 'a file'}</span>
      </label>
    </div>
  );
}

function SourceButton({
  name,
  is,
  onChoose,
  label,
}: {
  name: Source;
  is: Source | undefined;
  onChoose: (source: Source | undefined) => void;
  label: string;
}): JSX.Element {
  return (
    <button
      type="button"
      class="plain"
      aria-expanded={is === name}
      onClick={() => onChoose(is === name ? undefined : name)}
    >
      {label}
    </button>
  );
}

function ExampleButton({ example, onFile }: { example: ExampleFile; onFile: (file: File) => void }): JSX.Element {
  const [problem, setProblem] = useState('');
  const fetchIt = async (): Promise<void> => {
    setProblem('');
    try {
      const blob = await (await request(example.file)).blob();
      onFile(new File([blob], example.name, { type: example.contentType }));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button type="button" class="plain" onClick={() => void fetchIt()}>
        Use the example
      </button>
      <Problem text={problem} />
    </>
  );
}

function PickedRow({
  file,
  of,
  onRemove,
}: {
  file: PickedFile;
  of: FileField['of'];
  onRemove: () => void;
}): JSX.Element {
  const url = useObjectUrl(file instanceof Blob ? file : undefined);
  return (
    <li>
      {url !== undefined && of === 'image' && <img src={url} alt={file.name} />}
      {url !== undefined && of === 'audio' && <audio controls src={url} aria-label={file.name} />}
      <span class="play-file-name">
        {file.name}, {showBytes(file.size)}
      </span>
      <button type="button" class="quiet" aria-label={`Remove ${file.name}`} onClick={onRemove}>
        ×
      </button>
    </li>
  );
}

export function showBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
