import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Packages that a room stays free of, unless it is the one that knows them. */
const HEAVY = ['onnxruntime-node', 'piscina', 'express', 'undici', 'sharp', 'prom-client'];

/** Which rooms a room may import, and which heavy packages it may know (docs/architecture.md, "Imports point one way"). */
const rooms = {
  client: { rooms: [] },
  config: { rooms: [] },
  tensors: { rooms: [] },
  core: { rooms: [] },
  grammar: { rooms: [] },
  outbound: { rooms: [] },
  transfer: { rooms: [] },
  storage: { rooms: ['config', 'outbound', 'transfer'], packages: ['undici'] },
  onnx: { rooms: ['tensors'], packages: ['onnxruntime-node'] },
  tracing: { rooms: ['config', 'core', 'serving'], packages: ['undici'] },
  trial: { rooms: ['tensors', 'onnx'] },
  programs: { rooms: ['tensors', 'onnx', 'lanes', 'tasks', 'grammar'], packages: ['onnxruntime-node', 'piscina'] },
  lanes: { rooms: ['tensors', 'core'], packages: ['piscina'] },
  cpu: { rooms: ['tensors', 'dialects', 'tasks'], packages: ['piscina'] },
  tasks: { rooms: ['tensors', 'grammar'], packages: ['sharp'] },
  dialects: { rooms: ['tensors', 'tasks'] },
  repository: { rooms: ['tensors', 'onnx', 'tasks'] },
  hub: { rooms: ['repository', 'config', 'transfer'], packages: ['undici'] },
  serving: { rooms: ['tensors', 'core', 'lanes', 'trial', 'cpu', 'dialects', 'tasks', 'repository'] },
  salad: { rooms: ['config', 'core', 'storage'], packages: ['undici'] },
  jobs: { rooms: ['config', 'core', 'dialects', 'outbound', 'serving', 'storage', 'tracing'], packages: ['undici'] },
  web: { rooms: ['config', 'core', 'repository', 'serving'] },
  tune: { rooms: ['config', 'benchmark'] },
  benchmark: { rooms: ['tensors', 'config'], packages: ['undici', 'sharp'] },
  doctor: {
    rooms: ['config', 'core', 'lanes', 'onnx', 'repository', 'storage', 'salad', 'http'],
    packages: ['onnxruntime-node'],
  },
  http: {
    rooms: [
      'config',
      'cpu',
      'tasks',
      'dialects',
      'outbound',
      'repository',
      'salad',
      'serving',
      'jobs',
      'storage',
      'tracing',
      'web',
    ],
    packages: ['express', 'undici'],
  },
};

/** Import patterns of a room, from files up to three folders deep. */
function pathsOf(room) {
  return ['..', '../..', '../../..'].map((up) => `${up}/${room}/**`);
}

const directions = Object.entries(rooms).map(([room, may]) => ({
  files: [`src/${room}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          ...Object.keys(rooms)
            .filter((other) => other !== room && !may.rooms.includes(other))
            .map((other) => ({ group: pathsOf(other), message: `${room}/ must not import ${other}/` })),
          {
            group: HEAVY.filter((name) => !(may.packages ?? []).includes(name)),
            message: `${room}/ must stay free of this package`,
          },
        ],
      },
    ],
  },
}));

/** The pages in the browser: what they share with the server they get over HTTP, and by types of web/live/protocol.ts. */
const browser = {
  files: ['web/**'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          { group: ['**/src/**'], message: 'web/ runs in the browser: it must not import the server' },
          { group: ['node:*'], message: 'web/ runs in the browser, which has no modules of Node' },
        ],
      },
    ],
    // A handler of an event may be asynchronous: what it rejects with is caught within.
    '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
  },
};

/** Files outside the rooms that may import them; all others of src/ are neutral: they know tensors, and the faces of tasks. */
const JOINING = [
  'src/batch.ts',
  'src/cli.ts',
  'src/index.ts',
  'src/drain.ts',
  'src/lifecycle.ts',
  'src/start-report.ts',
  'src/start.ts',
  'src/main.ts',
  'src/node-watch.ts',
  'src/queue-of-jobs.ts',
  'src/start-error.ts',
];

const neutral = {
  files: ['src/*.ts'],
  ignores: JOINING,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: Object.keys(rooms)
          .filter((room) => room !== 'tensors' && room !== 'tasks')
          .map((room) => ({ group: [`./${room}/**`], message: `what all rooms share must not import ${room}/` })),
      },
    ],
  },
};

export default defineConfig(
  { ignores: ['dist', 'node_modules', 'models', 'examples', 'load-tests/k6', 'tmp'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      complexity: ['error', 15],
      'max-params': ['error', 4],
      'max-lines': ['error', { max: 300, skipBlankLines: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only src/config/environment.ts reads the environment.' },
        {
          object: 'process',
          property: 'exit',
          message: 'Only src/commands/ and src/signals.ts end the process.',
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
    },
  },
  ...directions,
  neutral,
  browser,
  {
    files: ['test/**', 'bench/**', 'load-tests/**', 'tools/**'],
    rules: {
      'max-lines-per-function': 'off',
      'no-console': 'off',
      'no-restricted-properties': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
  {
    files: ['src/config/environment.ts', 'src/no-sdk-warning.ts', 'src/no-telemetry.ts', 'src/signals.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['src/cli.ts', 'src/commands/**'], rules: { 'no-console': 'off' } },
  // Commands end the process, and still leave the environment to src/config/environment.ts.
  {
    files: ['src/commands/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only src/config/environment.ts reads the environment.' },
      ],
    },
  },
  {
    files: ['eslint.config.js', 'scripts/**', 'bin/**', 'tools/clients/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-restricted-exports': 'off', 'no-restricted-properties': 'off', 'no-console': 'off' },
  },
);
