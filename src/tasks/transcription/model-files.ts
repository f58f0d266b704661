import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ProgramSpec, TaskSource } from '../task.ts';
import type { SpeechTokens } from './speech-work.ts';

/** What a transcription needs from a Whisper model's files. */
export interface SpeechModel {
  readonly tokens: SpeechTokens;
  readonly mels: number;
}

type Files = Pick<TaskSource, 'files'>;

const ids = z.array(z.number().int());
const configSchema = z.object({
  vocab_size: z.number().int(),
  num_mel_bins: z.number().int().positive(),
  decoder_layers: z.number().int().min(0).max(1000).default(0),
  decoder_attention_heads: z.number().int().min(0).max(1000).default(0),
  max_target_positions: z.number().int().positive().default(448),
  suppress_tokens: ids.nullish(),
  begin_suppress_tokens: ids.nullish(),
});
const generationSchema = z.object({
  is_multilingual: z.boolean().nullish(),
  max_initial_timestamp_index: z.number().int().nullish(),
  suppress_tokens: ids.nullish(),
  begin_suppress_tokens: ids.nullish(),
  alignment_heads: z.array(z.tuple([z.number().int().min(0), z.number().int().min(0)])).nullish(),
});
const preprocessorSchema = z.object({
  n_fft: z.literal(400).default(400),
  hop_length: z.literal(160).default(160),
  chunk_length: z.literal(30).default(30),
  sampling_rate: z.literal(16_000).default(16_000),
});
const tokenizerSchema = z.object({ added_tokens: z.array(z.object({ id: z.number().int(), content: z.string() })) });

/** The vocabulary of multilingual models; that of English models is one token shorter. */
const MULTILINGUAL_VOCABULARY = 51_865;

/** Reads the files. Throws a plain Error that says which of them is missing or wrong. */
export async function readSpeechModel(source: Files): Promise<SpeechModel> {
  const [config, generation, , tokenizer] = await Promise.all([
    read(source, 'config', { name: 'config.json', schema: configSchema }),
    read(source, 'generationConfig', { name: 'generation_config.json', schema: generationSchema, otherwise: {} }),
    read(source, 'preprocessorConfig', {
      name: 'preprocessor_config.json',
      schema: preprocessorSchema,
      otherwise: {},
    }),
    read(source, 'tokenizer', { name: 'tokenizer.json', schema: tokenizerSchema }),
  ]);
  const added = new Map(tokenizer.added_tokens.map(({ content, id }) => [content, id]));
  const multilingual = generation.is_multilingual ?? config.vocab_size >= MULTILINGUAL_VOCABULARY;
  const need = (token: string): number => {
    const id = added.get(token);
    if (id === undefined) throw new Error(`tokenizer.json has no token ${token}`);
    return id;
  };
  const noTimestamps = need('<|notimestamps|>');
  return {
    mels: config.num_mel_bins,
    tokens: {
      start: need('<|startoftranscript|>'),
      end: need('<|endoftext|>'),
      noTimestamps,
      timestampBegin: noTimestamps + 1,
      noSpeech: added.get('<|nospeech|>') ?? added.get('<|nocaptions|>'),
      startOfPrevious: added.get('<|startofprev|>'),
      languages: multilingual ? languagesOf(added) : {},
      transcribe: multilingual ? need('<|transcribe|>') : undefined,
      translate: multilingual ? need('<|translate|>') : undefined,
      suppress: generation.suppress_tokens ?? config.suppress_tokens ?? [],
      beginSuppress: generation.begin_suppress_tokens ?? config.begin_suppress_tokens ?? [],
      maxInitialTimestamp: generation.max_initial_timestamp_index ?? 50,
      alignmentHeads: generation.alignment_heads ?? lastHeads(config),
      maxPositions: config.max_target_positions,
    },
  };
}

/** As in Whisper's own code, all heads in the second half of the layers stand for heads that are not named. */
function lastHeads({
  decoder_layers: layers,
  decoder_attention_heads: heads,
}: z.output<typeof configSchema>): [number, number][] {
  const first = Math.floor(layers / 2);
  return Array.from({ length: layers - first }, (_, layer) =>
    Array.from({ length: heads }, (__, head): [number, number] => [first + layer, head]),
  ).flat();
}

function languagesOf(added: ReadonlyMap<string, number>): Record<string, number> {
  const languages = [...added].flatMap(([token, id]): [string, number][] => {
    const code = /^<\|([a-z]{2,3})\|>$/.exec(token)?.[1];
    return code === undefined ? [] : [[code, id]];
  });
  return Object.fromEntries(languages);
}

/** The voice activity model that comes with the server. */
const SHIPPED_VOICE_ACTIVITY = fileURLToPath(new URL('../../../../models/voice-activity/model.onnx', import.meta.url));

/** The file of Silero VAD 5: the model's own (`files.voiceActivity`), or that which comes with the server; undefined where there is neither. */
export function voiceActivityFile({ files }: Files): string | undefined {
  return files['voiceActivity'] ?? (existsSync(SHIPPED_VOICE_ACTIVITY) ? SHIPPED_VOICE_ACTIVITY : undefined);
}

/** Transcription runs by the speech program: `files.model` is the encoder, `files.decoder` the decoder with its cache merged in. */
export async function chooseSpeechProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const { decoder } = source.files;
  if (decoder === undefined) throw new Error('the model has no decoder (files.decoder)');
  const { tokens, mels } = await readSpeechModel(source);
  const voiceActivity = voiceActivityFile(source);
  const graphs = { model: source.weights, decoder, ...(voiceActivity === undefined ? {} : { voiceActivity }) };
  return { kind: 'speech', graphs, options: { tokens, mels } };
}

async function read<Schema extends z.ZodType>(
  { files }: Files,
  role: string,
  { name, schema, otherwise }: { name: string; schema: Schema; otherwise?: object },
): Promise<z.output<Schema>> {
  const file = files[role];
  let value: unknown = otherwise;
  if (file !== undefined)
    try {
      value = JSON.parse(await readFile(file, 'utf8'));
    } catch (error) {
      throw new Error(`${name} ${error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read'}`, {
        cause: error,
      });
    }
  if (value === undefined) throw new Error(`the model has no ${name} (files.${role})`);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`${name}: ${problems.join('; ')}`);
}
