import assert from 'node:assert/strict';
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { flagOf } from '../../src/config/flags.ts';
import { parseAliases } from '../../src/config/model-aliases.ts';
import { ConfigError, type Option } from '../../src/config/option.ts';
import { hideCredentials } from '../../src/config/option.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { readConfig, type ConfigSources } from '../../src/config/read.ts';
import { optionsMarkdown, optionsText, shownConfig } from '../../src/config/help.ts';
import { makeFolder } from '../repository/fixtures.ts';
import { pathOf } from '../tasks/support.ts';

const read = ({ flags = {}, env = {}, file = {}, problems = [] }: Partial<ConfigSources>) =>
  readConfig({ flags, env: { MODELS_DIR: '.', ...env }, file, problems });

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  throw new Error('nothing was wrong with it');
}

test('a flag beats the environment, which beats carpool.json, which beats the default', () => {
  const flags = { PORT: '1' };
  const env = { PORT: '2' };
  const file = { PORT: 3 };
  assert.deepEqual(
    [read({ flags, env, file }), read({ env, file }), read({ file }), read({})].map(({ PORT }) => PORT),
    [1, 2, 3, 8000],
  );
});

test('the defaults are those that the documentation promises', () => {
  const config = read({});
  assert.deepEqual(
    [config.HOST, config.PORT, config.DEVICE, config.MODEL_CONTROL, config.LOG_LEVEL],
    ['::', 8000, 'auto', 'none', 'info'],
  );
  assert.deepEqual(
    [config.REQUEST_TIMEOUT_MS, config.DRAIN_GRACE_MS, config.BODY_LIMIT_BYTES, config.MODELS, config.MODEL_OPTIONS],
    [90_000, 30_000, 64 * 1024 * 1024, [], {}],
  );
});

test('an empty variable counts as absent; an empty flag is a value', () => {
  assert.equal(read({ env: { PORT: '' }, file: { PORT: 3 } }).PORT, 3);
  assert.match(problemsOf(() => read({ flags: { PORT: '' } })).join(), /PORT \(flag\)/);
});

test('all problems are reported at once, with the place they came from', () => {
  const problems = problemsOf(() =>
    read({
      flags: { PORT: '70000' },
      env: { LANES: '2.5', DEVICE: 'tpu', READY_WHEN_FULL: 'yes', MODEL_OPTIONS: '{', MODELS_DIR: '/nowhere' },
      file: { LOG_LEVEL: 7, MODELS: [1], COLOUR: 'red' },
    }),
  );
  for (const wanted of [
    /^PORT \(flag\): .*0 to 65535.*70000/,
    /^LANES \(environment\): .*whole number/,
    /^DEVICE \(environment\): .*auto\|cpu\|cuda.*tpu/,
    /^READY_WHEN_FULL \(environment\): .*true or false/,
    /^MODEL_OPTIONS \(environment\): not valid JSON/,
    /^LOG_LEVEL \(carpool\.json\): /,
    /^MODELS \(carpool\.json\): /,
    /^COLOUR: there is no such option$/,
    /^MODELS_DIR: there is no folder \/nowhere/,
  ])
    assert.equal(problems.filter((problem) => wanted.test(problem)).length, 1, String(wanted));
  assert.equal(problems.length, 9);
});

test('a file in the place of MODELS_DIR is told as one, and so is a folder that this user may not read', async (t) => {
  const folder = await makeFolder(t, { 'model.onnx': 'x' });
  const problemsWith = (MODELS_DIR: string) => problemsOf(() => read({ env: { MODELS_DIR } }));
  const file = path.join(folder, 'model.onnx');
  assert.deepEqual(problemsWith(file), [`MODELS_DIR: ${file} is a file: name a folder, with a folder for each model`]);
  if (process.getuid?.() === 0 || process.platform === 'win32') return;
  await chmod(folder, 0);
  t.after(() => chmod(folder, 0o700));
  assert.deepEqual(problemsWith(folder), [
    `MODELS_DIR: ${folder} cannot be read (EACCES): give this user the right to read it`,
  ]);
});

test('with models to pull, their folder need not be there; problems of the models are reported', () => {
  const config = read({ env: { MODELS_DIR: '/nowhere/models', CARPOOL_MODELS: 'hf:acme/tiny#q8, b=hf:acme/b@v1' } });
  assert.deepEqual(config.CARPOOL_MODELS, ['hf:acme/tiny#q8', 'b=hf:acme/b@v1']);
  const problems = problemsOf(() =>
    read({ env: { CARPOOL_MODELS: 'tiny,hf:a/x,hf:b/x', HF_ENDPOINT: 'hub', DTYPE: 'q5' } }),
  );
  assert.equal(problems.length, 4);
  assert.match(problems[0] ?? '', /^DTYPE \(environment\): expected auto\|fp32\|/);
  assert.match(problems[1] ?? '', /^CARPOOL_MODELS: tiny: expected hf:/);
  assert.match(problems[2] ?? '', /^CARPOOL_MODELS: hf:b\/x: another model goes to x too/);
  assert.match(problems[3] ?? '', /^HF_ENDPOINT: /);
});

test('problems of the sources themselves are reported with those of their values', () => {
  const problems = problemsOf(() => read({ env: { PORT: 'x' }, problems: ['--prot: there is no such flag'] }));
  assert.deepEqual([problems.length, problems[0]], [2, '--prot: there is no such flag']);
  assert.deepEqual(
    problemsOf(() => read({ file: { PROT: 1 } })),
    ['PROT: there is no such option. Did you mean PORT?'],
  );
});

test('options that contradict each other are reported', () => {
  const problems = problemsOf(() =>
    read({
      env: {
        DEFAULT_MODEL: 'c',
        MODELS: 'a, b',
        BODY_LIMIT_BYTES: '4000000',
        BODY_BUDGET_BYTES: '2000000',
        HEADERS_TIMEOUT_MS: '5000',
        BODY_TIMEOUT_MS: '4000',
      },
      file: { MODEL_OPTIONS: { a: 1, b: [], c: {} } },
    }),
  );
  for (const wanted of [
    /c is not among MODELS/,
    /BODY_BUDGET_BYTES: smaller than BODY_LIMIT_BYTES/,
    /HEADERS_TIMEOUT_MS: longer than BODY_TIMEOUT_MS/,
    /MODEL_OPTIONS: a: expected an object/,
    /MODEL_OPTIONS: b: expected an object/,
  ])
    assert.ok(
      problems.some((problem) => wanted.test(problem)),
      String(wanted),
    );
  assert.equal(problems.length, 5);
});

test("Kelpie's jobs run programs, so a worker that may run none is refused", () => {
  const problems = problemsOf(() => read({ env: { JOB_SOURCE: 'kelpie', KELPIE_API_URL: 'kelpie' } }));
  assert.equal(problems.length, 2);
  assert.match(problems.join('\n'), /JOB_COMMANDS: Kelpie's jobs run programs/);
  assert.match(problems.join('\n'), /KELPIE_API_URL: expected an http address, got kelpie/);
  read({ env: { JOB_SOURCE: 'kelpie', JOB_COMMANDS: 'python' } });
});

test('values of each type are read as the environment and as JSON have them', () => {
  const fromText = read({
    env: {
      MODELS: ' square , language-id,',
      READY_WHEN_FULL: '1',
      MODEL_OPTIONS: '{"square":{"queue":{"maxItems":8}}}',
      DEVICE: 'cuda:1',
      LANES: ' 3 ',
    },
  });
  const fromFile = read({
    file: {
      MODELS: ['square', 'language-id'],
      READY_WHEN_FULL: true,
      MODEL_OPTIONS: { square: { queue: { maxItems: 8 } } },
      DEVICE: 'cuda:1',
      LANES: 3,
    },
  });
  assert.deepEqual(fromText, fromFile);
  assert.deepEqual(fromText.MODELS, ['square', 'language-id']);
  assert.equal(read({ env: { READY_WHEN_FULL: 'false' } }).READY_WHEN_FULL, false);
});

test('the result cannot be changed, and names the folder of models from the root', () => {
  const config = read({});
  assert.ok(Object.isFrozen(config));
  assert.ok(path.isAbsolute(config.MODELS_DIR));
  assert.deepEqual(Object.keys(config).toSorted(), Object.keys(OPTIONS).toSorted());
});

test('a unit stands in the name of every option that has one', () => {
  const suffixes: Readonly<Record<string, string>> = {
    ms: '_MS',
    s: '_S',
    bytes: '_BYTES',
    percent: '_PERCENT',
    MB: '_MB',
    Mbps: '_MBPS',
    celsius: '_CELSIUS',
  };
  for (const [name, { unit, doc }] of Object.entries<Option>(OPTIONS)) {
    const suffix = unit === undefined ? undefined : suffixes[unit];
    assert.equal(unit === undefined, suffix === undefined, name);
    assert.equal(
      suffix !== undefined && name.endsWith(suffix),
      /_(MS|S|BYTES|PERCENT|MB|MBPS|CELSIUS)$/.test(name),
      name,
    );
    assert.ok(doc.endsWith('.'), name);
  }
});

test('every default is a value that the option takes', () => {
  for (const [name, option] of Object.entries<Option>(OPTIONS))
    if (name !== 'MODELS_DIR') assert.doesNotThrow(() => read({ file: { [name]: option.default } }), name);
});

test('the help names every option with its flag and what it does', () => {
  const lines = optionsText(60).split('\n');
  // What cannot be broken is longer.
  assert.ok(lines.every((line) => line.length <= 60 || !line.trim().includes(' ')));
  const help = lines.map((line) => line.trim()).join(' ');
  for (const [name, { doc }] of Object.entries<Option>(OPTIONS)) {
    assert.ok(help.includes(` ${flagOf(name)} `) && help.includes(` (${name}, default `), name);
    assert.ok(help.includes(doc), name);
  }
  assert.equal(flagOf('MODEL_OPTIONS'), '--model-options');
});

test('docs/configuration.md holds the table of the options', async () => {
  const page = await readFile(pathOf('docs/configuration.md'), 'utf8');
  const table = page.split('\n').filter((line) => line.startsWith('|'));
  assert.deepEqual(table, optionsMarkdown().split('\n'));
  for (const line of table) assert.equal(line.replaceAll('\\|', '').split('|').length, 7, line);
});

test('/info shows the options in force', () => {
  const shown = shownConfig(read({ env: { PORT: '8123' } }));
  assert.equal(shown['PORT'], 8123);
  assert.deepEqual(Object.keys(shown), Object.keys(OPTIONS));
});

test('CORS_ORIGINS takes what browsers send as Origin, and nothing else', () => {
  const origins = (text: string) => read({ env: { CORS_ORIGINS: text } }).CORS_ORIGINS;
  assert.deepEqual(origins(''), []);
  const right = [
    'https://app.example.com',
    'http://localhost:3000',
    'http://[::1]:3000',
    'tauri://localhost',
    'chrome-extension://abc',
    '*',
  ];
  assert.deepEqual(origins(right.join(', ')), right);
  for (const wrong of [
    'https://app.example.com/',
    'app.example.com',
    'https://App.example.com',
    'https://a:443',
    'null',
    'file://',
  ])
    assert.match(problemsOf(() => origins(wrong))[0] ?? '', /CORS_ORIGINS.*is not an origin/, wrong);
});

test('/info shows no password of a URL, nor does a problem with one', () => {
  const shown = (env: Record<string, string>) => JSON.stringify(shownConfig(read({ env })));
  const secret = shown({ HF_ENDPOINT: 'https://me:p%40ss@hub.example/mirror', HF_TOKEN: 'hf_secret' });
  assert.match(secret, /https:\/\/\*\*\*@hub\.example\/mirror/);
  assert.doesNotMatch(secret, /p%40ss|hf_secret/);
  const nested = shown({ MODEL_OPTIONS: '{"a":{"description":"from ftp://me:secret@files/a?x=y@z"}}' });
  assert.match(nested, /ftp:\/\/\*\*\*@files\/a\?\*\*\*"/);
  const [storage] = problemsOf(() => read({ env: { AWS_ENDPOINT_URL_S3: 'minio:9000' } }));
  assert.equal(storage, 'AWS_ENDPOINT_URL_S3: expected the address of a storage, got minio:9000');
  const [problem] = problemsOf(() => read({ env: { HF_ENDPOINT: 'https://me:secret@hub example' } }));
  assert.doesNotMatch(problem ?? '', /secret/);
});

test('aliases are read, and each that cannot be is named', () => {
  const problems: string[] = [];
  const aliases = parseAliases(['gpt-4o-mini=chat', ' a = b ', 'a=c', 'x', 'x=', '=x', 'x=y=z'], problems);
  assert.deepEqual(
    [...aliases],
    [
      ['gpt-4o-mini', 'chat'],
      ['a', 'b'],
    ],
  );
  assert.deepEqual(
    problems.map((problem) => /^MODEL_ALIASES: (\S+?):? /.exec(problem)?.[1]),
    ['a', 'x', 'x=', '=x', 'x=y=z'],
  );
  assert.match(problemsOf(() => read({ flags: { MODEL_ALIASES: 'x' } })).join(), /MODEL_ALIASES: x/);
});

test('what grants access is hidden in the URLs of options: names, passwords and queries', () => {
  assert.equal(
    hideCredentials('https://x:pw@h/p?sig=S&a=b#f, redis://u@h s3://b/c'),
    'https://***@h/p?***#f, redis://***@h s3://b/c',
  );
});
