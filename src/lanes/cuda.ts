import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** What of CUDA this machine has: devices, and ONNX Runtime's provider for them. */

/** The command that installs the provider. */
const INSTALL_COMMAND = 'npm run install-cuda';

const BINDING = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
/** The one platform that the provider is built for. */
export const CUDA_PLATFORM = 'linux/x64';

/** Where the provider is once it is installed. */
export const PROVIDER_FILE = path.join(BINDING, 'bin/napi-v6', CUDA_PLATFORM, 'libonnxruntime_providers_cuda.so');
/** The binding's own install step: it fetches the provider of its own version. */
export const INSTALL_SCRIPT = path.join(BINDING, 'script/install.js');

/** Indices of the NVIDIA devices that the driver shows: /dev/nvidia0, ... (Linux), or WSL's one /dev/dxg with the CUDA stub library. `root` is for tests. */
export function findGpus(root = '/'): number[] {
  if (existsSync(path.join(root, 'dev/nvidiactl')))
    return list(path.join(root, 'dev'))
      .map((name) => /^nvidia(\d+)$/.exec(name)?.[1])
      .filter((index) => index !== undefined)
      .map(Number)
      .toSorted((a, b) => a - b);
  const isWsl = existsSync(path.join(root, 'dev/dxg')) && existsSync(path.join(root, 'usr/lib/wsl/lib/libcuda.so.1'));
  return isWsl ? [0] : [];
}

/** Why CUDA cannot work in this installation, and the cure; undefined where the provider is installed. */
export function missingProvider(file = PROVIDER_FILE, platform = platformHere()): string | undefined {
  if (existsSync(file)) return undefined;
  if (platform !== CUDA_PLATFORM)
    return `ONNX Runtime's CUDA provider is there for ${CUDA_PLATFORM} only, and this is ${platform}: models run on the CPU`;
  return `ONNX Runtime's CUDA provider is not installed: \`${INSTALL_COMMAND}\` installs it; of the Docker images, carpool:cuda has it`;
}

/**
 * Why a GPU of this machine is not seen, if there is one without a device of the driver; undefined if none is hidden. The driver shows its GPUs
 * below /proc also in a container that was given none of them; without a driver the PCI bus still does (class 3 is a display controller, vendor
 * 10de NVIDIA).
 */
export function hiddenGpu(root = '/'): string | undefined {
  if (findGpus(root).length > 0) return undefined;
  if (list(path.join(root, 'proc/driver/nvidia/gpus')).length > 0)
    return 'this machine has an NVIDIA GPU, but its devices (/dev/nvidia*) are not here: a container gets them by `docker run --gpus all` or a GPU resource of its pod';
  const pci = path.join(root, 'sys/bus/pci/devices');
  const isNvidia = (device: string): boolean =>
    read(path.join(pci, device, 'vendor')) === '0x10de' && read(path.join(pci, device, 'class')).startsWith('0x03');
  if (list(pci).some(isNvidia))
    return 'this machine has an NVIDIA GPU, but no driver for it is loaded: install the NVIDIA driver';
  return undefined;
}

export function platformHere(): string {
  return `${process.platform}/${process.arch}`;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
