import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of real models beside the repository, which is not part of it; compiled tests lie two levels below the repository's root. */
export const SHARED_MODELS = fileURLToPath(new URL('../../../shared/models', import.meta.url));

/** The folder of a real model, or undefined where there is none: its tests are then skipped, saying so. */
export function sharedModel(name: string): string | undefined {
  const folder = `${SHARED_MODELS}/${name}`;
  return existsSync(folder) ? folder : undefined;
}
