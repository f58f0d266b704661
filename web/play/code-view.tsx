import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { addressOf } from '../api.ts';
import { useKey } from '../hooks.ts';
import { BODY_FILE, codeOf, isLongBody, LANGUAGES, type Language } from './code/code.ts';
import { useObjectUrl } from './hooks.ts';
import { madeFilesOf } from './made-files.ts';
import { SaveLink } from './save-link.tsx';
import type { PlayRequest } from './types.ts';

/** The language that was looked at last, in whichever form. */
let lastLanguage: Language = 'curl';

/** The request of a form as a program would send it. `wanting`: what is missing for one. */
export function CodeView({
  request,
  wanting,
}: {
  readonly request: PlayRequest | undefined;
  readonly wanting: string;
}): VNode {
  const [language, choose] = useState(lastLanguage);
  const key = useKey();
  const site = { address: addressOf(''), hasKey: key !== '' };
  const code = request === undefined ? '' : codeOf(request, language, site);
  return (
    <section class="panel" aria-label="The same request in code">
      <div class="play-head">
        <h2>Code</h2>
        <div class="play-buttons" role="group" aria-label="Language">
          {LANGUAGES.map((one) => (
            <button
              key={one}
              type="button"
              class="quiet"
              aria-pressed={one === language}
              onClick={() => {
                lastLanguage = one;
                choose(one);
              }}
            >
              {one}
            </button>
          ))}
        </div>
        {request !== undefined && <CopyButton text={code} />}
      </div>
      {request === undefined ? (
        <p class="muted">{wanting}</p>
      ) : (
        <pre class="play-code" tabIndex={0} role="region" aria-label={`${language} code`}>
          {code}
        </pre>
      )}
      {request !== undefined && isLongBody(request) && <BodyLink request={request} />}
      {request !== undefined && madeFilesOf(request.body).map((file) => <FileLink key={file.name} file={file} />)}
      {key !== '' && <p class="muted small">The key is read from the environment variable CARPOOL_API_KEY.</p>}
    </section>
  );
}

/** How long the button says that it has copied. */
const TOLD_MS = 2000;

function CopyButton({ text }: { readonly text: string }): VNode {
  const [told, tell] = useState('');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      tell('Copied');
    } catch {
      // Pages without https may not; the code can be marked by hand.
      tell('Not allowed');
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell(''), TOLD_MS);
  };
  return (
    <button type="button" class="quiet play-end" aria-live="polite" onClick={() => void copy()}>
      {told === '' ? 'Copy' : told}
    </button>
  );
}

/** For a file that is only in this page. */
function FileLink({ file }: { readonly file: File }): VNode {
  const url = useObjectUrl(file);
  return (
    <p class="small">
      The code reads a file: <SaveLink url={url} name={file.name} />
    </p>
  );
}

function BodyLink({ request }: { readonly request: PlayRequest }): VNode {
  const text = request.body.kind === 'json' ? JSON.stringify(request.body.value) : '';
  const [blob, setBlob] = useState<Blob>();
  useEffect(() => setBlob(new Blob([text], { type: 'application/json' })), [text]);
  const url = useObjectUrl(blob);
  return (
    <p class="small">
      The body is long, so the code reads it from a file: <SaveLink url={url} name={BODY_FILE} />
    </p>
  );
}
