import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { COMMANDS } from '../../src/commands/specs.ts';
import { readCommand, usageOf, type CommandSpec } from '../../src/config/command.ts';
import { CLI, SERVER_ENV } from '../process/carpool.ts';

const LIMIT_MS = 60_000;

function carpool(argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...argv], { env: SERVER_ENV, timeout: LIMIT_MS }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
    );
  });
}

const SPEC: CommandSpec = {
  name: 'cook',
  summary: '',
  uses: ['<dish>'],
  about: ['Cooks.'],
  flags: {
    salt: { doc: 'adds salt' },
    time: { value: '<minutes>', doc: 'how long', letter: 't' },
    heat: { value: 'low|high', choices: ['low', 'high'], doc: 'how hot' },
  },
  takesOptions: true,
  operand: 'text',
  exitCodes: '0.',
};

test('a command line is read by the table: own flags, short ones, those of the configuration, operands', () => {
  assert.deepEqual(readCommand(SPEC, ['-t', '5', '--salt', 'soup', '--port=1', '--heat', 'low']), {
    values: { time: '5', salt: 'true', heat: 'low' },
    operands: ['soup'],
    rest: ['--port=1'],
  });
  for (const [argv, problem] of [
    [['--slat'], /--slat: there is no such flag\. Did you mean --salt\?/],
    [['--time'], /a value is missing/],
    [['--heat=hot'], /--heat: expected low\|high, got hot/],
  ] as const) {
    const line = readCommand(SPEC, argv);
    assert.match('problem' in line ? line.problem : '', problem);
  }
});

test('help is broken into lines of a width, and examples are not', () => {
  const about = [
    'Cooks a dish, and says',
    'how long it takes.',
    '',
    '  carpool cook "a very long dish that is not broken"',
  ];
  const lines = usageOf({ ...SPEC, about, flags: { heat: { doc: 'how hot it is to be at most' } } }, 24).split('\n');
  assert.deepEqual(lines.slice(2, 10), [
    'Cooks a dish, and says',
    'how long it takes.',
    '',
    '  carpool cook "a very long dish that is not broken"',
    '',
    '  --heat  how hot it is',
    '          to be at most',
    '',
  ]);
});

test('the help is made from the table', () => {
  assert.equal(
    usageOf(SPEC),
    [
      'Usage: carpool cook <dish> [flags of carpool serve]',
      '',
      'Cooks.',
      '',
      '  --salt                adds salt',
      '  -t, --time <minutes>  how long',
      '  --heat low|high       how hot',
      '',
      'Exit code: 0.',
    ].join('\n'),
  );
});

test('commands have names of their own, and docs/cli.md describes each with its flags', async () => {
  const names = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assert.equal(new Set(names).size, names.length);
  const page = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  for (const { name, flags } of COMMANDS) {
    const [, section] = new RegExp(`^## (?:.* and )?\`carpool ${name}\`([^]*?)(?=^## |$(?![^]))`, 'm').exec(page) ?? [];
    assert.ok(section !== undefined, `docs/cli.md has no section \`carpool ${name}\``);
    for (const flag of Object.keys(flags)) assert.ok(section.includes(`--${flag}`), `${name} --${flag}`);
  }
});

test('a command that is not there is refused with the one that was meant', async () => {
  const { code, stdout, stderr } = await carpool(['sevre']);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^sevre: there is no such command\. Did you mean carpool serve\?\n/);
  assert.match((await carpool(['help', 'modles'])).stderr, /Did you mean carpool models\?/);
});

test('help and --help say the same; bad usage is code 2 with the usage', async () => {
  const [one, other, serve] = await Promise.all([
    carpool(['help', 'rm']),
    carpool(['rm', '--help']),
    carpool(['serve', '-h']),
  ]);
  assert.deepEqual(one, other);
  assert.match(one.stdout, /^Usage: carpool rm <model> \[--yes\]/);
  assert.match(serve.stdout, /--max-job-failures/);
  for (const name of ['list', 'doctor', 'completion']) {
    const { code, stdout, stderr } = await carpool([name, '--no-such-flag']);
    assert.deepEqual([code, stdout], [2, ''], name);
    assert.match(stderr, /--no-such-flag: there is no such flag\nUsage: carpool /);
  }
  assert.equal((await carpool(['bench-storage', 'foo'])).code, 2);
});

test('a batch whose requests are not there says so', async () => {
  const { code, stderr } = await carpool(['batch', 'nowhere.jsonl', '-o', 'results.jsonl']);
  assert.deepEqual([code, stderr], [1, 'nowhere.jsonl: there is no such file of requests\n']);
});

test('doctor looks at this machine, and its exit code says whether there is a problem', async () => {
  const good = await carpool(['doctor', '--json', '--models', 'square', '--load']);
  const { problems, findings } = JSON.parse(good.stdout) as {
    problems: number;
    findings: { check: string; detail: string }[];
  };
  assert.deepEqual([good.code, problems], [0, 0], good.stdout);
  assert.match(findings.find(({ check }) => check === 'models')?.detail ?? '', /^1 loaded, tried and warmed up/);
  assert.match(findings.find(({ check }) => check === 'onnx runtime')?.detail ?? '', /runs a graph$/);
  const bad = await carpool(['doctor', '--models', 'square', '--lanes=no']);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^problem {2}options .*\n.*mend: leave --lanes out/m);
});
