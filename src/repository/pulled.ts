import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DTYPE_CHOICES } from '../dtype.ts';

/** The note that `carpool pull` leaves in a folder. A dot file is not part of the model. */
export const PULLED_FILE = '.carpool-pull.json';

const pulledSchema = z.object({
  /** `owner/name` on the hub. */
  repository: z.string(),
  /** As requested: a branch, a tag or a commit. */
  revision: z.string(),
  commit: z.string(),
  dtype: z.enum(DTYPE_CHOICES),
  files: z.array(z.object({ path: z.string(), size: z.number(), digest: z.string() })),
});

/** Where a pulled folder comes from, and which files it got from there. */
export type Pulled = z.infer<typeof pulledSchema>;

/** The note of a folder; undefined if there is none, or none that can be read. */
export async function readPulled(folder: string): Promise<Pulled | undefined> {
  try {
    return pulledSchema.safeParse(JSON.parse(await readFile(path.join(folder, PULLED_FILE), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Whether every file of the note is in the folder and has its size. Contents are not checked. */
export async function hasAllFiles(folder: string, { files }: Pulled): Promise<boolean> {
  for (const file of files) {
    const found = await stat(path.join(folder, file.path)).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== file.size) return false;
  }
  return true;
}
