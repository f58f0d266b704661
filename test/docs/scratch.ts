import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPTIONS } from '../../src/config/options.ts';
import { CLI, SERVER_ENV } from '../process/carpool.ts';
import { fileUrl } from './documents.ts';

/** Folders that look like a clone, in which the blocks of pages run without touching the repository. */

const ROOT = fileURLToPath(fileUrl('.'));
/** Not in a clone, or made anew in it. */
const LEFT_OUT = new Set(['.git', 'models', 'tmp']);

/** The folders of the models that are in a clone, by name. */
export function modelFolders(): Map<string, string> {
  const folder = path.join(ROOT, 'models');
  return new Map(readdirSync(folder).map((name) => [name, path.join(folder, name)]));
}

/** A temporary folder with a folder of commands that stand in for npm and carpool; removed by `remove`. */
export class Workshop {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'carpool-docs-'));
  readonly #bin = path.join(this.folder, 'bin');

  constructor() {
    mkdirSync(this.#bin);
    for (const [name, text] of Object.entries(COMMANDS))
      writeFileSync(path.join(this.#bin, name), text, { mode: 0o755 });
  }

  /** A new folder that looks like a clone, and beside it one for what the test keeps of the page. */
  makeClone(name: string, models: Iterable<readonly [string, string]>): { clone: string; state: string } {
    const clone = path.join(this.folder, name, 'carpool');
    const state = path.join(this.folder, name, 'state');
    for (const folder of [path.join(clone, 'models'), state]) mkdirSync(folder, { recursive: true });
    for (const entry of readdirSync(ROOT))
      if (!LEFT_OUT.has(entry)) symlinkSync(path.join(ROOT, entry), path.join(clone, entry));
    for (const [model, folder] of models) symlinkSync(folder, path.join(clone, 'models', model));
    return { clone, state };
  }

  /** The environment of a page's shell: a server that it starts is found at localhost, on whatever port it listens. */
  environment(state: string, sharedPort: number): Record<string, string> {
    return {
      PATH: `${this.#bin}:${process.env['PATH'] ?? ''}`,
      HOME: state,
      CURL_HOME: state,
      DOCS_STATE: state,
      DOCS_CLI: CLI,
      DOCS_PORT: String(sharedPort),
      DOCS_OPTIONS: Object.keys(OPTIONS).join('|'),
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** curl as a reader uses it, but that localhost is where the server listens, and that an answer of 4xx or 5xx ends with an error. */
export function curlConfig(port: number, other: { readonly shown: number; readonly real: number }): string {
  return [
    'silent',
    'show-error',
    'fail-with-body',
    // One answer a line.
    String.raw`write-out = "\n"`,
    'max-time = 150',
    `connect-to = "localhost:${other.shown}:127.0.0.1:${other.real}"`,
    `connect-to = "localhost::127.0.0.1:${port}"`,
    '',
  ].join('\n');
}

/**
 * `carpool serve` of a page goes on in the background, on a free port, and comes back once the server is ready; without any option the server that
 * all pages share is taken. Other commands are the real ones.
 */
const CARPOOL = `#!/usr/bin/env bash
set -euo pipefail
case "\${1-}" in serve|work) ;; *) exec node "$DOCS_CLI" "$@" ;; esac
port="$DOCS_PORT"
if env | grep -qE "^($DOCS_OPTIONS)=." || [ $# -gt 1 ]; then
  arguments=()
  while [ $# -gt 0 ]; do
    case "$1" in --port) shift 2 ;; --port=*) shift ;; *) arguments+=("$1"); shift ;; esac
  done
  # All models of a clone are loaded as the shared server loads them.
  if ! env | grep -qE "^(MODELS|MODELS_DIR|MODEL_LOADING|MODEL_CONTROL|MODEL_ID)=."; then
    export MODEL_LOADING=lazy REQUEST_TIMEOUT_MS="\${REQUEST_TIMEOUT_MS:-150000}"
  fi
  log="$(mktemp "$DOCS_STATE/server-XXXXXX")"
  HOST=127.0.0.1 PORT=0 DEVICE=cpu LOG_FORMAT=json CPU_THREADS=1 node "$DOCS_CLI" "\${arguments[@]}" >"$log" 2>&1 </dev/null &
  for _ in $(seq 600); do
    grep -q '"msg":"server is ready"' "$log" && break
    kill -0 $! 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
  done
  port="$(sed -n 's/.*"port":\\([0-9]*\\).*"msg":"listening".*/\\1/p' "$log")"
fi
echo "$port" >"$DOCS_STATE/port"
sed -i "s/^connect-to = \\"localhost::.*/connect-to = \\"localhost::127.0.0.1:$port\\"/" "$CURL_HOME/.curlrc"
`;

/** What npm ci and npm run build make is there already. */
const NPM = `#!/usr/bin/env bash
set -euo pipefail
case "$*" in
  ci | 'ci '* | 'run build') exit 0 ;;
  start*) shift ;;
  'run carpool --'*) shift 3; exec carpool "$@" ;;
  *) echo "the test of the docs knows no npm $*" >&2; exit 1 ;;
esac
[ "\${1-}" != -- ] || shift
exec carpool serve "$@"
`;

const NPX = `#!/usr/bin/env bash
set -euo pipefail
exec "$@"
`;

const COMMANDS = { carpool: CARPOOL, npm: NPM, npx: NPX };

/** The environment of the server that all pages share. */
export function sharedServer(clone: string): Record<string, string> {
  return {
    ...SERVER_ENV,
    MODELS_DIR: path.join(clone, 'models'),
    // Most pages ask one model, and the test pays for what is asked.
    MODEL_LOADING: 'lazy',
    // The first request for a model waits for its load, which takes long where many tests run.
    REQUEST_TIMEOUT_MS: '150000',
    LANES: '1',
    CPU_THREADS: '1',
  };
}
