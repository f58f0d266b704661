import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { flag } from '../../../src/dialects/shared/body-schema.ts';
import { formValues, parseMultipart, partText } from '../../../src/dialects/openai/multipart.ts';
import { ServerError } from '../../../src/errors.ts';

const TYPE = 'multipart/form-data; boundary=abc';
const parse = (text: string, type: string | undefined = TYPE) => parseMultipart(Buffer.from(text), type);
const simple = (lines: readonly string[]): string => lines.join('\r\n');

test('parts have names, types and bytes; the order and what stands around them do not matter', async () => {
  const parts = await parse(
    simple([
      'a preamble',
      '--abc',
      'Content-Disposition: form-data; name="model"',
      '',
      'whisper',
      '--abc',
      'content-type: Audio/X-WAV; rate=16000',
      'content-disposition: form-data; filename="a \\"b\\".wav"; name=file',
      '',
      'RIFF\r\n\r\n--ab',
      '--abc--',
      'an epilogue',
    ]),
  );
  assert.deepEqual(
    parts.map((part) => [part.name, part.contentType, partText(part)]),
    [
      ['model', 'text/plain', 'whisper'],
      ['file', 'audio/x-wav', 'RIFF\r\n\r\n--ab'],
    ],
  );
});

test('a quoted boundary, and a part that is empty', async () => {
  const [part] = await parse(
    '--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n--a b--',
    'Multipart/Form-Data; boundary="a b"',
  );
  assert.deepEqual([part?.name, part?.bytes.byteLength], ['x', 0]);
});

const head = 'Content-Disposition: form-data; name="x"\r\n\r\n';

test('a form of as many parts as there may be, and one of none', async () => {
  const parts = await parse(`${`--abc\r\n${head}text\r\n`.repeat(64)}--abc--`);
  assert.deepEqual([parts.length, partText(parts[63] as (typeof parts)[number])], [64, 'text']);
  assert.deepEqual(await parse('--abc--\r\n'), []);
});

test('a part without a name is left out', async () => {
  const parts = await parse(`--abc\r\nContent-Type: text/plain\r\n\r\ntext\r\n--abc\r\n${head}y\r\n--abc--`);
  assert.deepEqual(parts.map(partText), ['y']);
});

const large = 'y'.repeat(300_000);
/** Parts that the parser skips by itself. */
const skipped: [string, string][] = [
  ['has no disposition', `--abc\r\nContent-Type: text/plain\r\n\r\n${large}\r\n`],
  ['has no headers', `--abc\r\n\r\n${large}\r\n`],
  ['is no form data', `--abc\r\nContent-Disposition: attachment; name="x"\r\n\r\n${large}\r\n`],
  ['has a line break in its name', `--abc\r\nContent-Disposition: form-data; name="x\ry"\r\n\r\n${large}\r\n`],
  ['follows a delimiter with white space', `--abc \t\r\n${head}${large}\r\n`],
];
for (const [what, part] of skipped)
  test(`a large part that ${what} does not keep the form from being read`, { timeout: 10_000 }, async () => {
    const other = `--abc\r\n${head}text\r\n`;
    for (const form of [`${part}${other}--abc--`, `${other}${part}--abc--`])
      assert.deepEqual((await parse(form)).map(partText), ['text']);
  });

test('fields named like what objects inherit are fields like others', () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const parts = names.map((name) => ({ name, contentType: 'text/plain', bytes: Buffer.from('text') }));
  assert.deepEqual(
    Object.entries(formValues(z.object({ flag }), parts)),
    names.map((name) => [name, 'text']),
  );
});

test('a field that may be a list takes all parts of its name; of any other the first counts', () => {
  const schema = z.object({ one: z.string(), some: z.union([z.string(), z.array(z.string())]).optional() });
  const parts = ['one', 'some', 'some', 'one', 'more[]', 'more[]'].map((name, index) => ({
    name,
    contentType: 'text/plain',
    bytes: Buffer.from(String(index)),
  }));
  assert.deepEqual(formValues(schema, parts), { one: '0', some: ['1', '2'], 'more[]': ['4', '5'] });
});

test('flags are read as JSON and as Python write them', () => {
  const read = (text: string): unknown => {
    const part = { name: 'flag', contentType: 'text/plain', bytes: Buffer.from(text) };
    return formValues(z.object({ flag }), [part])['flag'];
  };
  assert.deepEqual(['true', 'False', ' TRUE ', 'yes'].map(read), [true, false, true, 'yes']);
});

/** Bodies that are wrong in one way each. */
const bad: [string, string, string | undefined, string][] = [
  ['another type', '', 'application/json', 'UNSUPPORTED_MEDIA_TYPE'],
  ['a type that only begins like it', '', 'multipart/form-database; boundary=abc', 'UNSUPPORTED_MEDIA_TYPE'],
  ['no type', '', '', 'UNSUPPORTED_MEDIA_TYPE'],
  ['no boundary in the type', '', 'multipart/form-data', 'BAD_REQUEST'],
  ['an empty boundary', '--\r\n', 'multipart/form-data; boundary=""', 'BAD_REQUEST'],
  ['a boundary that is too long', '', `multipart/form-data; boundary=${'a'.repeat(71)}`, 'BAD_REQUEST'],
  ['nothing', '', TYPE, 'BAD_REQUEST'],
  ['no boundary in the body', 'hello', TYPE, 'BAD_REQUEST'],
  ['no end', `--abc\r\n${head}text`, TYPE, 'BAD_REQUEST'],
  ['headers without end', '--abc\r\nContent-Disposition: form-data; name="x"\r\n', TYPE, 'BAD_REQUEST'],
  ['a boundary in mid-line', `x--abc\r\n${head}text\r\n`, TYPE, 'BAD_REQUEST'],
  ['too many parts', `${`--abc\r\n${head}text\r\n`.repeat(65)}--abc--`, TYPE, 'BAD_REQUEST'],
];
for (const [what, body, type, code] of bad)
  test(`refuses ${what}`, async () => {
    await assert.rejects(parse(body, type), (error) => error instanceof ServerError && error.code === code);
  });

test('a form that is cut off is told by what it lacks', async () => {
  for (const body of ['', 'hello', `--abc\r\n${head}text`])
    await assert.rejects(parse(body), /its last line, --abc--, is missing\.$/);
});

test('whatever a file holds comes back as it was', () =>
  fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.stringMatching(/^[a-z]{1,9}$/), async (bytes, name) => {
      // So long that no file of a test holds it by chance.
      const boundary = 'z'.repeat(70);
      const body = Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
        bytes,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ]);
      const [part] = await parseMultipart(body, `multipart/form-data; boundary=${boundary}`);
      assert.equal(part?.name, name);
      assert.deepEqual([...part.bytes], [...bytes]);
    }),
  ));

test('bytes that are no form end in a refusal, never in anything else', () => {
  const pieces = ['--abc', '\r\n', '--', ':', 'Content-Disposition: form-data; name="x"', ';', '"', 'a', '\r\n\r\n'];
  return fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), async (some) => {
      try {
        for (const part of await parse(some.join(''))) assert.equal(typeof part.name, 'string');
      } catch (error) {
        assert.ok(error instanceof ServerError && error.code === 'BAD_REQUEST');
      }
    }),
  );
});
