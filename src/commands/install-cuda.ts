import { installEnvironment } from '../config/environment.ts';
import { installCuda } from '../lanes/install-cuda.ts';
import { readOrRefuse } from './host.ts';
import { INSTALL_CUDA } from './specs.ts';

/** `carpool install-cuda`. */
export async function bringCuda(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(INSTALL_CUDA, argv, { operands: 0, otherwise: 'install-cuda takes no arguments' });
  if (line !== undefined) console.log(await installCuda(installEnvironment()));
}
