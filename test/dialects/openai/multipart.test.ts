import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMultipart, partText } from '../../../src/dialects/openai/multipart.ts';
import { ServerError } from '../../../src/errors.ts';

const TYPE = 'multipart/form-data; boundary=abc';
const parse = (text: string, type: string | undefined = TYPE) => parseMultipart(Buffer.from(text), type);
const simple = (lines: readonly string[]): string => lines.join('\r\n');

test('parts have names, types and bytes; the order and what stands around them do not matter', () => {
  const parts = parse(
    simple([
      'a preamble',
      '--abc',
      'Content-Disposition: form-data; name="model"',
      '',
      'whisper',
      '--abc  ',
      'content-type: Audio/X-WAV; rate=16000',
      'content-disposition: form-data; filename="a \\"b\\".wav"; name=file',
      '',
      'RIFF\r\n\r\n--ab',
      '--abc--',
      'an epilogue',
    ]),
  );
  assert.deepEqual(
    parts.map((part) => [part.name, part.filename, part.contentType, partText(part)]),
    [
      ['model', undefined, undefined, 'whisper'],
      ['file', 'a "b".wav', 'audio/x-wav', 'RIFF\r\n\r\n--ab'],
    ],
  );
});

test('a quoted boundary, and a part that is empty', () => {
  const [part] = parse(
    '--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n--a b--',
    'Multipart/Form-Data; boundary="a b"',
  );
  assert.deepEqual([part?.name, part?.bytes.byteLength], ['x', 0]);
});

const head = 'Content-Disposition: form-data; name="x"\r\n\r\n';
/** Each a way to be wrong. */
const bad: [string, string, string | undefined, string][] = [
  ['another type', '', 'application/json', 'UNSUPPORTED_MEDIA_TYPE'],
  ['no boundary in the type', '', 'multipart/form-data', 'BAD_REQUEST'],
  ['nothing', '', TYPE, 'BAD_REQUEST'],
  ['no boundary in the body', 'hello', TYPE, 'BAD_REQUEST'],
  ['no end', `--abc\r\n${head}text`, TYPE, 'BAD_REQUEST'],
  ['a boundary in mid-line', `x--abc\r\n${head}text\r\n--abc--`, TYPE, 'BAD_REQUEST'],
  ['a longer boundary', `--abcd\r\n${head}text\r\n--abcd--`, TYPE, 'BAD_REQUEST'],
  ['a part without a name', '--abc\r\nContent-Type: text/plain\r\n\r\ntext\r\n--abc--', TYPE, 'BAD_REQUEST'],
  ['headers without end', '--abc\r\nContent-Disposition: form-data; name="x"\r\n--abc--', TYPE, 'BAD_REQUEST'],
  ['too many parts', `${`--abc\r\n${head}text\r\n`.repeat(65)}--abc--`, TYPE, 'BAD_REQUEST'],
];
for (const [what, body, type, code] of bad)
  test(`refuses ${what}`, () => {
    assert.throws(
      () => parse(body, type),
      (error) => error instanceof ServerError && error.code === code,
    );
  });

test('whatever a file holds comes back as it was', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.stringMatching(/^[a-z]{1,9}$/), (bytes, name) => {
      // So long that no file of a test holds it by chance.
      const boundary = 'z'.repeat(70);
      const body = Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
        bytes,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ]);
      const [part] = parseMultipart(body, `multipart/form-data; boundary=${boundary}`);
      assert.equal(part?.name, name);
      assert.deepEqual([...part.bytes], [...bytes]);
    }),
  );
});

test('bytes that are no form end in a refusal, never in anything else', () => {
  const piece = fc.constantFrom('--abc', '\r\n', '--', ':', 'Content-Disposition: form-data; name="x"', ';', '"', 'a');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        for (const part of parse(pieces.join(''))) assert.equal(typeof part.name, 'string');
      } catch (error) {
        assert.ok(error instanceof ServerError && error.code === 'BAD_REQUEST');
      }
    }),
  );
});
