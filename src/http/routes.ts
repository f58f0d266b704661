import type { Exchange } from './exchange.ts';
import { predict } from './native-routes.ts';
import { infer } from './oip-routes.ts';
import type { Services } from './services.ts';

/** A POST route found without Express. */
export interface HotRoute {
  readonly dialect: string;
  readonly handle: (exchange: Exchange, services: Services) => Promise<void>;
}

const DEFAULT_PREDICT: HotRoute = { dialect: 'native', handle: (exchange, services) => predict(exchange, services) };
const PREDICT = /^\/predict\/([^/]+)\/?$/;
const INFER = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/;

/** The inference route of a path (without its query), or undefined. */
export function hotRoute(path: string): HotRoute | undefined {
  if (path === '/predict' || path === '/predict/') return DEFAULT_PREDICT;
  const name = PREDICT.exec(path)?.[1];
  if (name !== undefined)
    return { dialect: 'native', handle: (exchange, services) => predict(exchange, services, decodeName(name)) };
  const [, model, version] = INFER.exec(path) ?? [];
  if (model === undefined) return undefined;
  return {
    dialect: 'oip',
    handle: (exchange, services) => infer(exchange, services, decodeName(model), version),
  };
}

/** A name that is not valid percent-encoding names no model, and is looked up as it stands. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
