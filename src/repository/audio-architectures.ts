/** The tasks of models that listen, by class names of transformers. */

/** Models of raw audio, without the ending of their class. */
const RAW = '(Data2VecAudio|Hubert|SEW|SEWD|UniSpeech|UniSpeechSat|Wav2Vec2|Wav2Vec2Conformer|WavLM)';

const CTC = new RegExp(`^${RAW}ForCTC$`);

const TASKS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`^(AST|Whisper)ForAudioClassification$|^${RAW}ForSequenceClassification$`), 'audio-classification'],
  [new RegExp(`^ASTModel$|^${RAW}(Model|ForXVector)$`), 'audio-feature-extraction'],
];

/** Kinds that no task serves, and what they are. */
const NOT_SERVED: readonly (readonly [RegExp, string])[] = [
  [/ForCTC$/, 'a CTC head of this kind is not served'],
  [/ForAudioFrameClassification$/, 'classes of frames (who speaks when) are not served'],
  [
    /ForAudioClassification$|^(Wav2Vec2Bert|Wav2Vec2-BERT).*ForSequenceClassification$/,
    'sounds of this kind are not served',
  ],
  [/^Clap(Audio|Text)Model(WithProjection)?$/, 'half a pair of sounds and texts is not served'],
  [
    /^(SpeechEncoderDecoderModel|Speech2TextForConditionalGeneration|MoonshineForConditionalGeneration)$/,
    'speech to text of this kind is not served',
  ],
  [/^(Musicgen.*|Encodec|Dac|Mimi|SpeechT5ForSpeechToSpeech).*$/, 'sound from sound or music from texts is not served'],
];

/** A task, or why there is none. */
type AudioChoice = { readonly task: string; readonly isCtc?: boolean } | { readonly why: string };

/** The choice for a class that listens; undefined for other classes. `names` are the folder's files. */
export function audioChoice(architecture: string, names: ReadonlySet<string>): AudioChoice | undefined {
  if (architecture === 'WhisperForConditionalGeneration') return { task: 'transcription' };
  if (CTC.test(architecture))
    return names.has('vocab.json') || names.has('tokenizer.json')
      ? { task: 'transcription', isCtc: true }
      : { why: `${architecture} without a vocab.json has no task` };
  if (architecture === 'ClapModel')
    return names.has('tokenizer.json') && names.has('preprocessor_config.json')
      ? { task: 'zero-shot-audio-classification' }
      : { why: `${architecture} without a tokenizer.json and a preprocessor_config.json has no task` };
  const task = TASKS.find(([pattern]) => pattern.test(architecture))?.[1];
  if (task !== undefined)
    return names.has('preprocessor_config.json')
      ? { task }
      : { why: `${architecture} without a preprocessor_config.json has no task` };
  const why = NOT_SERVED.find(([pattern]) => pattern.test(architecture))?.[1];
  return why === undefined ? undefined : { why: `${architecture}: ${why}` };
}
