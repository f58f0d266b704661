import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import { findGpus, hiddenGpu, missingProvider } from '../lanes/cuda.ts';
import { isAtLeast, parseCuda, parseGpu, CUDA_ARGS, GPU_ARGS } from '../salad/gpu.ts';
import { ok, problem, warning, type Found, type Machine, type Patient } from './finding.ts';
import { firstLine, probe } from './runtime.ts';

/** The way from an NVIDIA GPU to a lane: devices, driver, ONNX Runtime's provider, the libraries of CUDA 12 and cuDNN 9, and a graph that runs there. */

const LEAST_CUDA = '12.0';

/** Debian's and Ubuntu's packages from NVIDIA's repository, by the library's name. */
const PACKAGES: readonly (readonly [RegExp, string])[] = [
  [/^libcudnn/, 'libcudnn9-cuda-12'],
  [/^libcublas/, 'libcublas-12-8'],
  [/^libcudart/, 'cuda-cudart-12-8'],
  [/^libcufft/, 'libcufft-12-8'],
  [/^libcurand/, 'libcurand-12-8'],
  [/^libnvrtc/, 'cuda-nvrtc-12-8'],
];

export async function checkGpu({ config, machine }: Patient): Promise<Found[]> {
  const { DEVICE } = config;
  if (DEVICE === 'cpu') return [ok('not looked for: DEVICE=cpu')];
  // What DEVICE asks for must be there; what would only be used if it were there is a warning.
  const bad = DEVICE === 'auto' ? warning : problem;
  const gpus = findGpus(machine.root);
  if (gpus.length === 0) return [withoutGpu(DEVICE, machine)];
  const [first = 0] = gpus;
  const device = DEVICE.startsWith('cuda:') ? Number(DEVICE.slice('cuda:'.length)) : first;
  if (!gpus.includes(device))
    return [
      problem(`DEVICE=${DEVICE}: this machine shows the devices ${gpus.join(', ')}`, `export DEVICE=cuda:${first}`),
    ];
  const driver = await checkDriver(machine, bad);
  const missing = missingProvider(machine.providerFile);
  if (missing !== undefined) return [...driver, bad(missing, 'carpool install-cuda')];
  const libraries = await checkLibraries(machine, bad);
  if (libraries.length > 0) return [...driver, ...libraries];
  return [...driver, await checkLane(machine, `cuda:${device}`, bad)];
}

function withoutGpu(device: Config['DEVICE'], { root }: Machine): Found {
  const hidden = hiddenGpu(root);
  const cure =
    hidden?.includes('driver for it') === true ? 'apt-get install nvidia-driver-570' : 'docker run --gpus all ...';
  if (device !== 'auto')
    return problem(
      `DEVICE=${device}: ${hidden ?? 'this machine shows no NVIDIA device (/dev/nvidia*)'}`,
      hidden === undefined ? 'export DEVICE=auto' : cure,
    );
  return hidden === undefined ? ok('none: models run on the CPU') : warning(hidden, cure);
}

type Bad = (detail: string, cure: string) => Found;

async function checkDriver({ run }: Machine, bad: Bad): Promise<Found[]> {
  const cure =
    'apt-get install nvidia-driver-570   # in a container: docker run --gpus all, with the NVIDIA container toolkit';
  try {
    const gpu = parseGpu(await run('nvidia-smi', GPU_ARGS));
    if (gpu === undefined) return [bad('nvidia-smi shows no GPU', cure)];
    const text = `${gpu.name}, ${gpu.freeMb} of ${gpu.memoryMb} MB free, driver ${gpu.driver}`;
    const cuda = parseCuda(await run('nvidia-smi', CUDA_ARGS));
    if (cuda !== undefined && !isAtLeast(cuda, LEAST_CUDA))
      return [bad(`${text}: it takes CUDA ${cuda}, at least ${LEAST_CUDA} is wanted`, cure)];
    return [ok(cuda === undefined ? text : `${text} (CUDA up to ${cuda})`)];
  } catch (error) {
    return [bad(`the driver does not answer: ${firstLine(messageOf(error))}`, cure)];
  }
}

/** What the provider needs and the loader does not find, as `ldd` tells it. */
async function checkLibraries({ run, providerFile }: Machine, bad: Bad): Promise<Found[]> {
  const text = await run('ldd', [providerFile]).catch(() => '');
  const names = [...text.matchAll(/^\s*(\S+) => not found/gm)].map(([, name = '']) => name);
  // Found beside the provider itself once ONNX Runtime has loaded it.
  const missing = names.filter((name) => !name.startsWith('libonnxruntime'));
  if (missing.length === 0) return [];
  const packages = missing.map((name) => PACKAGES.find(([begins]) => begins.test(name))?.[1] ?? name);
  return [
    bad(
      `libraries of CUDA 12 and cuDNN 9 are missing: ${missing.join(', ')}`,
      `apt-get install ${[...new Set(packages)].join(' ')}   # or LD_LIBRARY_PATH, if they are elsewhere`,
    ),
  ];
}

async function checkLane(machine: Machine, device: string, bad: Bad): Promise<Found> {
  try {
    await probe(machine, device);
    return ok(`a graph runs on ${device}`);
  } catch (error) {
    return bad(`a graph does not run on ${device}: ${firstLine(messageOf(error))}`, 'export DEVICE=cpu');
  }
}
