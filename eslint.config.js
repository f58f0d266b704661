import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Which folder may import which: `from` must not reach any of `banned` (docs/architecture.md, "Imports point one way"). */
const directions = [
  {
    from: 'src/core/**',
    banned: ['http', 'dialects', 'pool', 'worker', 'tasks', 'repository'],
    packages: ['onnxruntime-node', 'piscina', 'express'],
  },
  {
    from: 'src/dialects/**',
    banned: ['http', 'core', 'pool', 'worker', 'repository'],
    packages: ['onnxruntime-node', 'piscina', 'express'],
  },
  {
    from: 'src/tasks/**',
    banned: ['http', 'core', 'pool', 'worker', 'dialects'],
    packages: ['onnxruntime-node', 'piscina', 'express'],
  },
  {
    from: 'src/onnx/**',
    banned: ['http', 'dialects', 'core', 'pool', 'worker', 'tasks', 'repository', 'serving'],
    packages: ['onnxruntime-node', 'piscina', 'express'],
  },
  { from: 'src/worker/**', banned: ['http', 'core', 'repository'], packages: ['express'] },
  { from: 'src/pool/**', banned: ['http', 'repository'], packages: ['express', 'onnxruntime-node'] },
  {
    from: 'src/repository/**',
    banned: ['http', 'dialects', 'worker'],
    packages: ['express', 'onnxruntime-node', 'piscina'],
  },
  {
    from: 'src/hub/**',
    banned: ['http', 'dialects', 'core', 'pool', 'worker', 'tasks', 'serving'],
    packages: ['express', 'onnxruntime-node', 'piscina'],
  },
];

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
        { object: 'process', property: 'env', message: 'Only src/config.ts reads the environment.' },
        {
          object: 'process',
          property: 'exit',
          message: 'Only src/main.ts, src/commands.ts and src/stop-signals.ts end the process.',
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
    },
  },
  ...directions.map(({ from, banned, packages }) => ({
    files: [from],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...banned.map((folder) => ({
              group: [`../${folder}/*`, `../../${folder}/*`],
              message: `${from} must not import ${folder}/`,
            })),
            { group: packages, message: `${from} must stay free of this package` },
          ],
        },
      ],
    },
  })),
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
    files: ['src/config.ts', 'src/no-telemetry.ts', 'src/main.ts', 'src/commands.ts', 'src/stop-signals.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['src/cli.ts', 'src/commands.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['eslint.config.js', 'scripts/**'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-restricted-exports': 'off', 'no-restricted-properties': 'off', 'no-console': 'off' },
  },
);
