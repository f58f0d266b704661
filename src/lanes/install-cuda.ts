import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { CUDA_PLATFORM, INSTALL_SCRIPT, missingProvider, platformHere, PROVIDER_FILE } from './cuda.ts';

/** `carpool install-cuda`: downloads ONNX Runtime's CUDA provider, which is too large to be in the package. */

/** For tests. */
export interface InstallPlace {
  readonly script: string;
  readonly provider: string;
  readonly platform: string;
}

const HERE: InstallPlace = { script: INSTALL_SCRIPT, provider: PROVIDER_FILE, platform: platformHere() };

export interface Installed {
  /** Its file. */
  readonly provider: string;
  /** False: it was there already. */
  readonly isNew: boolean;
}

/** Installs the provider where it is missing. What the download says goes to standard error. Rejects with an Error that says why the provider is not there. */
export async function installCuda(env: NodeJS.ProcessEnv, place: InstallPlace = HERE): Promise<Installed> {
  const { script, provider, platform } = place;
  if (existsSync(provider)) return { provider, isNew: false };
  if (platform !== CUDA_PLATFORM) throw new Error(missingProvider(provider, platform));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 2, 'inherit'], env });
  const [code] = (await once(child, 'exit')) as [number | null];
  // The script also exits with 0 when it has done nothing, so the file decides.
  if (code !== 0 || !existsSync(provider))
    throw new Error(
      `The CUDA provider could not be installed (exit code ${String(code)}). It comes from api.nuget.org: this machine must reach it, directly or by HTTPS_PROXY.`,
    );
  return { provider, isNew: true };
}
