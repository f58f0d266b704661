import { NATIVE } from '../dialects/native/dialect.ts';
import { OIP } from '../dialects/oip/dialect.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import { HTTP, type Dialect } from '../dialects/shared/dialect.ts';
import { TEI } from '../dialects/tei/dialect.ts';
import type { Exchange } from './exchange.ts';
import { chatCompletions, completions, oipGenerate } from './generation-routes.ts';
import { predict } from './native-routes.ts';
import { infer } from './oip-routes.ts';
import { embeddings, generateImages, transcribe } from './openai-routes.ts';
import type { Services } from './services.ts';
import { TEI_ROUTES } from './tei-routes.ts';

/** A POST route found without Express. */
export interface HotRoute {
  readonly dialect: Dialect;
  readonly handle: (exchange: Exchange, services: Services) => Promise<void>;
}

const openAi = (handle: HotRoute['handle']): HotRoute => ({ dialect: OPENAI, handle });
const native: HotRoute = { dialect: NATIVE, handle: (exchange, services) => predict(exchange, services) };

const FIXED: ReadonlyMap<string, HotRoute> = new Map([
  ['/predict', native],
  ['/v1/embeddings', openAi(embeddings)],
  ['/embeddings', openAi(embeddings)],
  ['/v1/chat/completions', openAi(chatCompletions)],
  ['/v1/completions', openAi(completions)],
  ['/v1/audio/transcriptions', openAi((exchange, services) => transcribe(exchange, services, 'openai.transcriptions'))],
  ['/v1/audio/translations', openAi((exchange, services) => transcribe(exchange, services, 'openai.translations'))],
  ['/v1/images/generations', openAi(generateImages)],
  ...Object.entries(TEI_ROUTES).map(([path, handle]): [string, HotRoute] => [path, { dialect: TEI, handle }]),
]);
const PREDICT = /^\/predict\/([^/]+)$/;
const OF_MODEL = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/(infer|generate|generate_stream)$/;

/** The inference route of a path (without its query), or undefined. */
export function hotRoute(path: string): HotRoute | undefined {
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed;
  const name = PREDICT.exec(path)?.[1];
  if (name !== undefined)
    return { dialect: NATIVE, handle: (exchange, services) => predict(exchange, services, decodeName(name)) };
  const [, encoded, version, verb] = OF_MODEL.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  const model = decodeName(encoded);
  if (verb === 'infer')
    return { dialect: OIP, handle: (exchange, services) => infer(exchange, services, model, version) };
  const isStream = verb === 'generate_stream';
  return {
    dialect: OIP,
    handle: (exchange, services) => oipGenerate(exchange, services, { name: model, version, isStream }),
  };
}

/** The dialect of whatever stands at a path, or would: errors there have its shape. */
export function dialectOf(path: string): Dialect {
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed.dialect;
  return OPENAI.paths?.test(path) === true ? OPENAI : HTTP;
}

/** A name that is not valid percent-encoding names no model, and is looked up as it stands. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
