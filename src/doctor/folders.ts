import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import { gigabytes, ok, problem, warning, type Found, type Patient } from './finding.ts';
import { quoted } from './options.ts';

/** Folders that the server writes to: whether it may, and whether there is room. */

interface Place {
  readonly option: string;
  readonly folder: string;
  /** How much is to have room in it; 0: unknown. */
  readonly bytes: number;
}

/** Room that a pull wants at least. */
const LEAST_BYTES = 1e9;

export async function checkFolders({ config }: Patient): Promise<Found[]> {
  const places: Place[] = [
    ...(config.CARPOOL_MODELS.length === 0
      ? []
      : [{ option: 'MODELS_DIR', folder: config.MODELS_DIR, bytes: LEAST_BYTES }]),
    ...(config.JOBS_DIR === ''
      ? []
      : [{ option: 'JOBS_DIR', folder: config.JOBS_DIR, bytes: config.JOB_STORE_BYTES + config.FILE_STORE_BYTES }]),
    ...(config.STORAGE_CACHE_DIR === ''
      ? []
      : [{ option: 'STORAGE_CACHE_DIR', folder: config.STORAGE_CACHE_DIR, bytes: config.STORAGE_CACHE_BYTES }]),
    ...(config.JOB_COMMANDS.length === 0
      ? []
      : (['INPUT_DIR', 'OUTPUT_DIR', 'CHECKPOINT_DIR'] as const).map((option) => ({
          option,
          folder: config[option],
          bytes: 0,
        }))),
  ];
  const found: Found[] = [];
  for (const place of places) found.push(...(await checkPlace(place)));
  if (found.length === 0 && places.length === 0) return [ok('none is written to')];
  return found.length > 0 ? found : [ok(`${places.map(({ option }) => option).join(', ')} can be written to`)];
}

async function checkPlace({ option, folder, bytes }: Place): Promise<Found[]> {
  const there = await nearest(path.resolve(folder));
  if (!(await stat(there)).isDirectory())
    return [
      problem(`${option}: ${there} is a file, and a folder is wanted`, `mv ${quoted(there)} ${quoted(`${there}.old`)}`),
    ];
  try {
    await access(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? messageOf(error);
    return [
      problem(
        `${option}: ${there} cannot be written to (${code})`,
        code === 'EROFS'
          ? `mount it writable, or let ${option} name another folder`
          : `chown -R "$(id -u)" ${quoted(there)}`,
      ),
    ];
  }
  const { bavail, bsize } = await statfs(there);
  return judgeRoom({ option, folder: there, bytes }, bavail * bsize);
}

/** With less the server does not start: its stores write their first files then. */
const NO_ROOM_BYTES = 1e6;

/** Whether the free bytes at a folder do. */
export function judgeRoom({ option, folder, bytes }: Place, free: number): Found[] {
  const cure = `df -h ${quoted(folder)}`;
  if (free < NO_ROOM_BYTES) return [problem(`${option}: no room is left at ${folder}`, cure)];
  if (free >= bytes) return [];
  return [
    warning(`${option}: ${gigabytes(free)} GB are free at ${folder}, up to ${gigabytes(bytes)} may be wanted`, cure),
  ];
}

/** The folder itself, or the nearest one above it that is there: the server makes the rest. */
async function nearest(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    const isThere = await stat(at).then(
      () => true,
      () => false,
    );
    if (isThere || at === path.dirname(at)) return at;
  }
}
