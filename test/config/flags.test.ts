import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '../../src/config/flags.ts';

const flagsOf = (argv: readonly string[]): Record<string, string> => {
  const { flags, problems } = parseFlags(argv);
  assert.deepEqual(problems, []);
  return flags;
};
const problemsOf = (argv: readonly string[]): readonly string[] => parseFlags(argv).problems;

test('flags: --name value, --name=value, and a bare --name for a switch', () => {
  assert.deepEqual(
    flagsOf([
      '--port',
      '8001',
      '--host=0.0.0.0',
      '--ready-when-full',
      '--lanes',
      '-1',
      '--model-options={"a":{"options":{"x":"b=c"}}}',
      '--log-level=',
    ]),
    {
      PORT: '8001',
      HOST: '0.0.0.0',
      READY_WHEN_FULL: 'true',
      LANES: '-1',
      MODEL_OPTIONS: '{"a":{"options":{"x":"b=c"}}}',
      LOG_LEVEL: '',
    },
  );
  assert.deepEqual(flagsOf(['--ready-when-full', 'false']), { READY_WHEN_FULL: 'false' });
  assert.deepEqual(flagsOf([]), {});
});

test('unknown flags, and flags without a value, are all reported at once', () => {
  const problems = problemsOf(['--port', '--colour=red', 'serve', '-p', '--host']);
  assert.deepEqual(problems, [
    '--port: a value is missing',
    '--colour: there is no such flag',
    '-p: there is no such flag',
    '--host: a value is missing',
    'serve: there is no such flag',
  ]);
});

test('a switch may stand alone, be negated, or have a value', () => {
  for (const [argv, value] of [
    [['--ready-when-full', '--port=1'], 'true'],
    [['--no-ready-when-full', '--port=1'], 'false'],
    [['--ready-when-full=0', '--port=1'], '0'],
    [['--ready-when-full', 'no', '--port=1'], 'no'],
    [['--no-ready-when-full', '--ready-when-full', '--port=1'], 'true'],
  ] as const)
    assert.deepEqual(flagsOf(argv), { READY_WHEN_FULL: value, PORT: '1' }, argv.join(' '));
  assert.deepEqual(problemsOf(['--no-ready-when-full', 'false']), ['false: there is no such flag']);
  assert.deepEqual(problemsOf(['--no-port']), ['--no-port: there is no such flag. Did you mean --port?']);
});

test('of a repeated flag the last counts; case and underscores make no difference', () => {
  assert.deepEqual(flagsOf(['--port', '1', '--PORT=2']), { PORT: '2' });
  assert.deepEqual(flagsOf(['--models_dir', '/Models_A', '--Model-Options={"A_B":{}}']), {
    MODELS_DIR: '/Models_A',
    MODEL_OPTIONS: '{"A_B":{}}',
  });
});

test('a misspelt flag is reported with the one that was probably meant', () => {
  assert.deepEqual(problemsOf(['--prot=1', '--model', 'a', '--lane-thread=2', '--hlep', '--zzz']), [
    '--prot: there is no such flag. Did you mean --port?',
    '--model: there is no such flag. Did you mean --models?',
    '--lane-thread: there is no such flag. Did you mean --lane-threads?',
    '--hlep: there is no such flag. Did you mean --help?',
    '--zzz: there is no such flag',
    'a: there is no such flag',
  ]);
  assert.deepEqual(problemsOf(['-port', '-p=1', '-']), [
    '-port: there is no such flag. Did you mean --port?',
    '-p=1: there is no such flag',
    '-: there is no such flag',
  ]);
  assert.deepEqual(problemsOf(['--constructor', '--toString=1']), [
    '--constructor: there is no such flag',
    '--tostring: there is no such flag',
  ]);
});

test('arguments other than flags are reported, also behind --', () => {
  assert.deepEqual(problemsOf(['--', 'port', 'x']), [
    'port: there is no such flag. Did you mean --port?',
    'x: there is no such flag',
  ]);
});
