import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { unavailable } from './folder-storage.ts';
import { Rig, told, until } from './rig.ts';

test('inputs are brought, outputs stored, and folders empty before and after', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/in/a/x.txt', 'one');
  await rig.store('s3://b/in/y.txt', 'two');
  await rig.store('s3://b/other/z.txt', 'three');
  await mkdir(rig.folder('output'), { recursive: true });
  await writeFile(path.join(rig.folder('output'), 'left'), 'of a job before');
  const served = await rig.script('cat "$INPUT_DIR"/a/x.txt "$INPUT_DIR"/y.txt; ls "$INPUT_DIR" > "$OUTPUT_DIR/list"', {
    before: [['in/', 'input']],
    after: [['out/', 'output']],
  });
  const { kind, id, status_code, body } = told(served);
  assert.deepEqual([kind, id, status_code, body?.['exit_code']], ['answered', 'job-1', 200, 0]);
  assert.equal(body?.['output_tail'], 'onetwo\n');
  assert.equal(await rig.storage.read('s3://b/out/list'), 'a\ny.txt\n');
  assert.deepEqual(
    rig.storage.done.filter((done) => done.startsWith('upload')),
    ['upload list'],
  );
  assert.deepEqual([await rig.filesIn('input'), await rig.filesIn('output')], [[], []]);
  assert.deepEqual(rig.phases, ['downloading', 'running', 'uploading']);
});

test("a program has the server's variables and the job's, and Kelpie's names are not the job's to choose", async (t) => {
  const rig = await Rig.open(t);
  const served = await rig.script('echo $SERVER $OWN $OUTPUT_DIR $KELPIE_JOB_ID $KELPIE_STATE_FILE', {
    environment: { OWN: 'mine', OUTPUT_DIR: '/', KELPIE_JOB_ID: 'x' },
  });
  const text = `yes mine ${rig.folder('output')} job-1 ${rig.folder('state.json')}\n`;
  assert.equal(told(served).body?.['output_tail'], text);
});

test('a program that ends with another code has failed, and its outputs are not stored', async (t) => {
  const rig = await Rig.open(t);
  const served = await rig.script('echo half > "$OUTPUT_DIR/x"; echo why >&2; exit 3', { after: [['out/', 'output']] });
  const { kind, status_code, body } = told(served);
  assert.deepEqual([kind, status_code, body?.['exit_code'], body?.['output_tail']], ['failed', 500, 3, 'why\n']);
  assert.equal(body?.error?.message, 'it ended with code 3');
  assert.deepEqual(rig.storage.done, []);
});

test('a program that a signal has ended has failed', async (t) => {
  const rig = await Rig.open(t);
  const { kind, body } = told(await rig.script('kill -SEGV $$'));
  assert.deepEqual([kind, body?.['exit_code'], body?.['signal']], ['failed', null, 'SIGSEGV']);
});

test('a program that cannot be started has failed', async (t) => {
  const rig = await Rig.open(t);
  const { kind, body } = told(await rig.run(rig.job(['no-such-program'])));
  assert.equal(kind, 'failed');
  assert.match(String(body?.error?.message), /no-such-program/);
});

test('of a list, only its programs are run, from the PATH of the server', async (t) => {
  const rig = await Rig.open(t, { JOB_COMMANDS: ['sh'] });
  await writeFile(path.join(rig.root, 'sh'), '#!/bin/sh\necho the one of the job\n', { mode: 0o755 });
  const other = told(await rig.run(rig.job(['/bin/sh', '-c', 'true'])));
  assert.deepEqual(
    [other.kind, other.error?.message],
    ['unreadable', 'command: /bin/sh is not among those that this server runs'],
  );
  const { kind, body } = told(await rig.run(rig.job(['sh', '-c', 'echo mine'], { environment: { PATH: rig.root } })));
  assert.deepEqual([kind, body?.['output_tail']], ['answered', 'mine\n']);
});

test('a program is not run when its inputs cannot be listed or brought', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/in/x', '1');
  for (const call of ['list', 'download']) {
    rig.storage.onCall((made, place) => {
      if (made === call) throw unavailable(place);
    });
    const served = await rig.script('echo ran > "$OUTPUT_DIR/x"', {
      before: [['in/', 'input']],
      after: [['out/', 'output']],
    });
    const { kind, body } = told(served);
    assert.equal(kind, 'failed');
    assert.match(String(body?.error?.message), /no answer/);
  }
  assert.deepEqual(rig.storage.done, []);
  assert.ok(!rig.phases.includes('running'));
});

test('names of objects cannot lead out of the folder, and folders are only those that jobs may use', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/in/x', '1');
  const listed = rig.storage.list.bind(rig.storage);
  t.mock.method(rig.storage, 'list', async function* (...call: Parameters<typeof listed>) {
    for await (const found of listed(...call)) yield { ...found, place: 's3://b/in/../../x' };
  });
  const out = told(await rig.script('true', { before: [['in/', 'input']] }));
  assert.deepEqual([out.kind, /cannot be the name of a file/.test(String(out.error?.message))], ['unreadable', true]);
  const wrong = told(await rig.script('true', { after: [['out/', 'input/../elsewhere']] }));
  assert.deepEqual([wrong.kind, /JOB_FOLDERS/.test(String(wrong.error?.message))], ['unreadable', true]);
  assert.equal(told(await rig.script('true', { after: [['out/', 'more/of/them']] })).kind, 'answered');
});

test('patterns are those of Kelpie: of downloads for the whole key, else for the name below the folder', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/in/a.txt', 'a');
  await rig.store('s3://b/in/b.bin', 'b');
  await rig.script('ls "$INPUT_DIR"; touch "$OUTPUT_DIR/c.txt" "$OUTPUT_DIR/d.bin"', {
    before: [['in/', 'input', /^in\/.*txt$/]],
    after: [['out/', 'output', /^[c-d]\.bin$/]],
  });
  assert.deepEqual(rig.storage.done, ['download a.txt', 'upload d.bin']);
});

test('a pattern that takes for ever is refused', async (t) => {
  const rig = await Rig.open(t);
  await rig.store(`s3://b/in/${'a'.repeat(100)}`, '1');
  const { kind, error } = told(await rig.script('true', { before: [['in/', 'input', /(a+)+$(?<!a)/]] }));
  assert.deepEqual([kind, /the pattern .* cannot be used/.test(String(error?.message))], ['unreadable', true]);
});

test('with compression, files are stored as gzip and brought back as they were', async (t) => {
  const rig = await Rig.open(t);
  await rig.script('echo text > "$OUTPUT_DIR/x.txt"', { after: [['out/', 'output']], compression: true });
  const stored = await readFile(rig.storage.fileOf('s3://b/out/x.txt.gz'));
  assert.deepEqual([...stored.subarray(0, 2)], [0x1f, 0x8b]);
  const served = await rig.script('cat "$INPUT_DIR/x.txt"', { before: [['out/', 'input']], compression: true });
  assert.equal(told(served).body?.['output_tail'], 'text\n');
});

test('commands run one after the other', async (t) => {
  const rig = await Rig.open(t);
  const script = 'mkdir "$OUTPUT_DIR/lock" && sleep 0.1 && rmdir "$OUTPUT_DIR/lock"';
  const served = await Promise.all(['1', '2', '3'].map((id) => rig.script(script, { id })));
  assert.deepEqual(
    served.map((one) => told(one).kind),
    ['answered', 'answered', 'answered'],
  );
});

test('a long line is cut, a flood of lines is not logged whole, and secrets of the job are not logged', async (t) => {
  const rig = await Rig.open(t);
  const script = 'head -c 20000 /dev/zero | tr "\\\\0" x; echo; yes | head -n 200000';
  const { kind } = told(await rig.script(script, { environment: { PASSWORD: 'hidden-text' } }));
  assert.equal(kind, 'answered');
  const lines = rig.lines.filter(({ stream }) => stream === 'stdout');
  assert.ok(lines.every((line) => line['jobId'] === 'job-1'));
  assert.ok(lines.every(({ msg }) => String(msg).length <= 4096));
  const shown = lines.filter(({ msg }) => msg === 'y').length;
  const dropped = lines.reduce((sum, line) => sum + Number(line['lines'] ?? 0), 0);
  assert.equal(shown + dropped, 200_000);
  assert.ok(shown < 100_000, `${shown}`);
  assert.ok(!JSON.stringify(rig.lines).includes('hidden-text'));
});

test('the state file tells what is being moved', async (t) => {
  const rig = await Rig.open(t);
  const shows = async (text: RegExp): Promise<boolean> => text.test(await readFile(rig.folder('state.json'), 'utf8'));
  const running = /"id": "job-1",\s+"status": "running",[^]*"activeUploads": \[\s+"[^"]*\/output\/x"[^]*"exitCode": 0/;
  rig.storage.onCall((call) => (call === 'upload' ? until('the upload is told', () => shows(running)) : undefined));
  await rig.script('echo 1 > "$OUTPUT_DIR/x"', { after: [['out/', 'output']] });
  assert.ok(await shows(/"status": "completed",[^]*"activeUploads": \[\],[^]*"end": "20/));
});
