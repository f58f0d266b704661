import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import type { LoadFailure } from '../repository/models-dir.ts';
import { createLines } from './progress.ts';
import { pullOrExport } from './exports.ts';
import { pullModel, type PullOptions } from './pull.ts';
import { parseReferences } from '../config/hub-reference.ts';
import { messageOf } from '../errors.ts';

export type PullConfig = Pick<
  Config,
  'CARPOOL_MODELS' | 'MODEL_ID' | 'MODELS_DIR' | 'DTYPE' | 'HF_TOKEN' | 'HF_ENDPOINT'
>;

/**
 * Brings the models of CARPOOL_MODELS into MODELS_DIR, one after the other; complete ones need no network. Resolves with those that failed;
 * rejects only when `signal` says to stop.
 */
export async function pullModels(config: PullConfig, log: Log, signal?: AbortSignal): Promise<LoadFailure[]> {
  const failed: LoadFailure[] = [];
  // Wrong references were reported when the configuration was read.
  for (const reference of parseReferences(config.CARPOOL_MODELS, [])) {
    const about = { model: reference.folder, repository: reference.repository };
    try {
      const options: PullOptions = {
        ...optionsOf(config),
        refresh: false,
        progress: createLines((line) => log.info({ model: reference.folder }, line)),
        onNote: (text) => log.info({ model: reference.folder }, text),
        signal,
      };
      // In the place of TEI, which also runs what has no ONNX file.
      const isTei = reference.repository === config.MODEL_ID;
      const onExport = (repository: string): void =>
        log.warn(about, `the model has no ONNX file; its export ${repository} is taken`);
      const { commit, bytes, isNew } = await (isTei
        ? pullOrExport(reference, options, onExport)
        : pullModel(reference, options));
      log.info({ ...about, commit, bytes }, isNew ? 'model pulled' : 'model is there already');
    } catch (error) {
      signal?.throwIfAborted();
      const reason = messageOf(error);
      log.error({ ...about, reason }, 'model pull failed');
      failed.push({ name: reference.folder, reason });
    }
  }
  return failed;
}

/** The part of the configuration that a pull needs. */
export function optionsOf(
  config: PullConfig,
): Pick<PullOptions, 'modelsDir' | 'endpoint' | 'token' | 'credentials' | 'defaultDtype'> {
  const endpoint = new URL(config.HF_ENDPOINT);
  const credentials = [endpoint.username, endpoint.password].map(decodeURIComponent).join(':');
  // Messages and the log show the address.
  endpoint.username = endpoint.password = '';
  return {
    modelsDir: config.MODELS_DIR,
    endpoint: endpoint.href.replace(/\/+$/, ''),
    token: config.HF_TOKEN,
    credentials: credentials === ':' ? '' : credentials,
    defaultDtype: config.DTYPE,
  };
}
