import { installEnvironment } from '../config/environment.ts';
import { installCuda, type Installed } from '../lanes/install-cuda.ts';
import { print, readOrRefuse } from './host.ts';
import { INSTALL_CUDA } from './specs.ts';

/** `carpool install-cuda`. */
export async function bringCuda(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(INSTALL_CUDA, argv, { operands: 0, otherwise: 'install-cuda takes no arguments' });
  if (line === undefined) return;
  const installed = await installCuda(installEnvironment());
  print(installed, line.values['json'] === 'true', () => installedText(installed));
}

function installedText({ provider, isNew }: Installed): string {
  return isNew
    ? `The CUDA provider is installed: ${provider}\nDEVICE=auto now takes every NVIDIA GPU whose driver, CUDA 12 and cuDNN 9 are there; the start says so.`
    : `The CUDA provider is there already: ${provider}`;
}
