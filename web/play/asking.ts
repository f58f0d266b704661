import { useEffect, useMemo, useState } from 'preact/hooks';
import { NO_ANSWER, withEvent } from './chat-turns.ts';
import { withTranscriptEvent } from './forms/speech.ts';
import { useTask } from './hooks.ts';
import { Refused, send, type Sent } from './send.ts';
import {
  FormProblem,
  type ModelAbout,
  type PickedFile,
  type Play,
  type PlayRequest,
  type Shown,
  type Value,
  type Values,
} from './types.ts';
import { filesOf, initialValues } from './values.ts';

/** What is in a form, and what came of the request that it makes. */

export type Outcome =
  | { readonly kind: 'none' }
  /** The text of a stream so far. */
  | { readonly kind: 'coming'; readonly text: string }
  | {
      readonly kind: 'answer';
      readonly sent: Sent;
      readonly shown: readonly Shown[];
      readonly file: PickedFile | undefined;
      readonly wasLoaded: boolean;
    }
  /** `guessed`: the request, of a model that was not loaded. */
  | {
      readonly kind: 'refused';
      readonly refused: Refused;
      readonly untilMs: number | undefined;
      readonly guessed: PlayRequest | undefined;
    }
  | { readonly kind: 'stopped'; readonly text: string }
  /** `text`: what had come of a stream. */
  | { readonly kind: 'broken'; readonly message: string; readonly text: string };

/** The request of a form, or what is wrong with it. */
function requestOf(play: Play, values: Values): { request?: PlayRequest; problem?: FormProblem } {
  try {
    return { request: play.request(values) };
  } catch (error) {
    if (error instanceof FormProblem) return { problem: error };
    throw error;
  }
}

/** A form of a model. `onAnswer` is called when the server has answered: the model may have been loaded for it. */
export function useForm(model: ModelAbout, play: Play, onAnswer: () => void) {
  const [changed, setChanged] = useState<Values>({});
  // What nobody has touched follows the model, of which more is known once it is loaded.
  const values = useMemo(() => ({ ...initialValues(play.fields), ...changed }), [play, changed]);
  const [isTried, setTried] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>({ kind: 'none' });
  const { isBusy, start, stop } = useTask();
  const { request, problem } = useMemo(() => requestOf(play, values), [play, values]);
  const submit = (): void => {
    setTried(true);
    if (request === undefined || isBusy) return;
    setOutcome({ kind: 'coming', text: '' });
    start(async (signal) => {
      const outcome = await ask({
        wasLoaded: model.loaded,
        play,
        values,
        request,
        signal,
        onText: (text) => setOutcome({ kind: 'coming', text }),
      });
      if (outcome.kind === 'answer' || outcome.kind === 'refused') onAnswer();
      setOutcome(outcome);
    });
  };
  // A form could only guess what a model that was asleep takes (its mask, its languages). If it is loaded now, and the form has become another one, that is sent.
  useEffect(() => {
    if (outcome.kind !== 'refused' || outcome.guessed === undefined || !model.loaded) return;
    if (outcome.refused.refusal.status === NOT_TAKEN && !isSame(outcome.guessed, request)) submit();
  }, [outcome, model]);
  const change = (name: string, value: Value): void => setChanged((before) => ({ ...before, [name]: value }));
  return { values, change, request, problem, isTried, outcome, isBusy, submit, stop };
}

/** Status of a well-formed request that the model does not take. */
const NOT_TAKEN = 422;

function isSame(one: PlayRequest, other: PlayRequest | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

interface Asking {
  readonly wasLoaded: boolean;
  readonly play: Play;
  readonly values: Values;
  readonly request: PlayRequest;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

/** Sends a request, and tells what came of it. Never rejects. */
async function ask({ wasLoaded, play, values, request, signal, onText }: Asking): Promise<Outcome> {
  let text = '';
  let answer = NO_ANSWER;
  const onEvent = (data: string): void => {
    if (play.streams === 'completion') {
      answer = withEvent(answer, data);
      text = answer.content;
    } else text = withTranscriptEvent(text, data);
    onText(text);
  };
  try {
    const sent = await send(request, { signal, onEvent });
    const shown = sent.reply === undefined ? [{ kind: 'text', text } as const] : play.read(sent.reply, values);
    const [file] = play.fields.flatMap((field) =>
      field.kind === 'file' ? filesOf(values, field.name).slice(0, 1) : [],
    );
    return { kind: 'answer', sent, shown, file, wasLoaded };
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped', text };
    if (error instanceof Refused) {
      const { retryAfterMs } = error.refusal;
      return {
        kind: 'refused',
        refused: error,
        untilMs: retryAfterMs === undefined ? undefined : performance.now() + retryAfterMs,
        guessed: wasLoaded ? undefined : request,
      };
    }
    return { kind: 'broken', text, message: error instanceof Error ? error.message : String(error) };
  }
}
