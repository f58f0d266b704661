import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isSetInEnvironment } from '../config/environment.ts';
import { messageOf } from '../errors.ts';
import { PROVIDER_FILE } from '../lanes/cuda.ts';
import { memoryBytes } from '../memory.ts';
import { checkCertificate, checkKeys, checkStorage } from './access.ts';
import { warning, type Check, type Finding, type Machine, type Patient } from './finding.ts';
import { checkFolders } from './folders.ts';
import { checkGpu } from './gpu.ts';
import { checkModels } from './models.ts';
import { checkIpv6, checkPorts, checkQueue, checkSalad } from './network.ts';
import { checkNodeOptions } from './node-checks.ts';
import { checkOptions } from './options.ts';
import { checkPrograms } from './programs.ts';
import { checkCores, checkMemory, checkNode, checkOnnxRuntime, checkOpenFiles, firstLine } from './runtime.ts';

/** All checks, in the order in which they are told. Each uses the code by which the server itself finds out. */
const CHECKS: Readonly<Record<string, Check>> = {
  options: checkOptions,
  node: checkNode,
  'onnx runtime': checkOnnxRuntime,
  gpu: checkGpu,
  cores: checkCores,
  memory: checkMemory,
  'open files': checkOpenFiles,
  ipv6: checkIpv6,
  ports: checkPorts,
  models: checkModels,
  programs: checkPrograms,
  folders: checkFolders,
  'api keys': checkKeys,
  certificate: checkCertificate,
  storage: checkStorage,
  queue: checkQueue,
  salad: checkSalad,
  'node checks': checkNodeOptions,
};

const LIMIT_MS = 60_000;
const MOST_BYTES = 4 * 1024 * 1024;

/** This machine. */
export function thisMachine(): Machine {
  const execute = promisify(execFile);
  return {
    root: '/',
    providerFile: PROVIDER_FILE,
    nodeVersion: process.version,
    memoryBytes: memoryBytes(),
    isSet: isSetInEnvironment,
    async run(command, args) {
      const { stdout } = await execute(command, args, {
        timeout: LIMIT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: MOST_BYTES,
      });
      return stdout;
    },
  };
}

/** Makes all checks, one after another; `tell` gets each finding at once. Never rejects: a check that fails itself is a warning. */
export async function examine(patient: Patient, tell: (finding: Finding) => void): Promise<void> {
  for (const [check, run] of Object.entries(CHECKS)) {
    const found = await run(patient).catch((error: unknown) => [
      warning(`this could not be looked at: ${firstLine(messageOf(error))}`, 'carpool serve   # says more'),
    ]);
    for (const one of found) tell({ check, ...one });
  }
}
