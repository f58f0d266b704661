import { ok, warning, type Found, type Machine, type Patient } from './finding.ts';
import { readModels } from './models.ts';

/** Programs of others that some tasks use. */

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly tasks: readonly string[];
  /** What does not work without it. */
  readonly without: string;
  readonly cure: string;
}

const PROGRAMS: readonly Program[] = [
  {
    command: 'ffmpeg',
    args: ['-version'],
    tasks: [
      'transcription',
      'text-to-speech',
      'audio-classification',
      'audio-feature-extraction',
      'zero-shot-audio-classification',
    ],
    without: 'compressed audio (MP3, M4A, Ogg) is neither taken nor given, WAV is',
    cure: 'apt-get install ffmpeg',
  },
  {
    command: 'espeak-ng',
    args: ['--version'],
    tasks: ['text-to-speech'],
    without: 'voices that read phonemes cannot be loaded',
    cure: 'apt-get install espeak-ng',
  },
];

export async function checkPrograms({ config, machine }: Patient): Promise<Found[]> {
  const models = (await readModels(config)) ?? [];
  const found: Found[] = [];
  for (const { command, args, tasks, without, cure } of PROGRAMS) {
    const isWanted = models.some(({ task = '' }) => tasks.includes(task));
    const version = await versionOf(machine, command, args);
    if (version !== undefined) found.push(ok(version));
    else if (isWanted) found.push(warning(`${command} is not there: ${without}`, cure));
    else found.push(ok(`${command} is not there, and no model here wants it`));
  }
  return found;
}

async function versionOf({ run }: Machine, command: string, args: readonly string[]): Promise<string | undefined> {
  const text = await run(command, args).catch(() => undefined);
  return text === undefined ? undefined : (text.split('\n', 1)[0] ?? '').split(' Copyright', 1)[0]?.trim();
}
