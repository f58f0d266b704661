import { existsSync, readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { readConfig } from '../../src/config/read.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { readKeysFile } from '../../src/config/api-keys.ts';
import { ERRORS } from '../../src/errors.ts';
import { readCommandJob } from '../../src/jobs/command-job.ts';
import { readJob } from '../../src/jobs/job.ts';
import { manifestSchema } from '../../src/repository/manifest.ts';
import { parseDockerfile, textsOf } from '../deploy/dockerfile.ts';
import { code, fileUrl, readDocument, tableRows } from './documents.ts';

/** Checks of blocks that are no commands: each throws when the block is not what the page says it is. */
export const CHECKS: Readonly<Record<string, (text: string) => void>> = {
  'model.json': (text) => void manifestSchema.parse(JSON.parse(text)),
  'carpool.json': (text) => void readConfig({ flags: {}, env: {}, file: JSON.parse(text) as Record<string, unknown> }),
  API_KEYS_FILE: (text) => assert.ok(readKeysFile(text, []).length > 0),
  job: (text) => void readJob(Buffer.from(text)),
  'job of a command': (text) => void readCommandJob(Buffer.from(text), 'job'),
  error: (text) => {
    const value = JSON.parse(text) as { error: unknown; code: string };
    assert.equal(typeof value.error, 'string');
    assert.ok(Object.hasOwn(ERRORS, value.code), value.code);
  },
  'line of the log': (text) => {
    const known = readDocument('docs/log.md')
      .split(/^## /m)
      .filter((section) => section.includes('| field | meaning |'))
      .flatMap((section) => tableRows(section, '| field | meaning |'))
      .flatMap(([names = '']) => names.split(','))
      .map((name) => code(name.trim()));
    assert.deepEqual(
      Object.keys(JSON.parse(text) as object).filter((name) => !known.includes(name)),
      [],
    );
  },
  /** The first word of each line is a file or a folder of the repository; further columns too, where they begin with src/. */
  paths: (text) => {
    const paths = text.split('\n').flatMap((line) =>
      line
        .split(/ {3,}/)
        .filter((cell, at) => at === 0 || cell.startsWith('src/'))
        .map((cell) => cell.split(' ')[0] ?? ''),
    );
    assert.deepEqual(
      paths.filter((file) => !existsSync(fileUrl(file))),
      [],
    );
  },
  Dockerfile: (text) => {
    const stages = parseDockerfile(text);
    assert.ok(stages.length > 0);
    for (const stage of stages)
      for (const [, name = ''] of textsOf(stage, 'ENV')
        .join(' ')
        .matchAll(/(\w+)=/g))
        assert.ok(Object.hasOwn(OPTIONS, name), `${name} is no option`);
  },
  /** Commands with their flags, as `[--flag VALUE]`: the program exists and knows each flag. */
  synopsis: (text) => {
    const { scripts } = JSON.parse(readDocument('package.json')) as { scripts: Record<string, string> };
    for (const command of text.split(/\n(?! )/)) {
      const [, script, file] = /(?:npm run ([\w:-]+)|node (?:--\S+ )*(dist\/\S+\.js))/.exec(command) ?? [];
      const program = file ?? /node (dist\/\S+)$/.exec(scripts[script ?? ''] ?? '')?.[1];
      assert.ok(program !== undefined, `there is no program: ${command}`);
      const sources = sourcesOf(program.replace(/^dist\/(.*)\.js$/, '$1.ts'));
      const flags = [...command.matchAll(/(?<=[\s[])--([a-z][\w-]*)/g)].map(([, flag = '']) => flag);
      const own = flags.filter((flag) => !flag.startsWith('max-semi'));
      assert.deepEqual(
        own.filter((flag) => !new RegExp(`\\b${flag}\\b`).test(sources)),
        [],
        program,
      );
    }
  },
};

/** The text of a program and of the files of bench/ and load-tests/ that it imports. */
function sourcesOf(file: string, seen = new Set<string>()): string {
  if (seen.has(file) || !existsSync(fileUrl(file))) return '';
  seen.add(file);
  const text = readFileSync(fileUrl(file), 'utf8');
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, target = '']) =>
    new URL(target, `file:///${file}`).pathname.slice(1),
  );
  return (
    text +
    imports
      .filter((target) => /^(bench|load-tests)\//.test(target))
      .map((target) => sourcesOf(target, seen))
      .join('')
  );
}
