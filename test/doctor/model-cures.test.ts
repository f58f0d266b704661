import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { cureOfModel, placeOf } from '../../src/doctor/model-cures.ts';
import { makeFolder } from '../repository/fixtures.ts';

test('cures name what is there: a folder, an ONNX file beside others, or the folder of models itself', async (t) => {
  const dir = await makeFolder(t, { 'folder/model.onnx': '', 'loose.onnx': '' });
  const at = (name: string): string => path.join(dir, name);
  assert.equal(placeOf(dir, 'folder'), at('folder'));
  assert.equal(placeOf(dir, 'loose'), at('loose.onnx'));
  assert.equal(placeOf(at('folder'), 'folder'), at('folder'));

  const loose = (why: string): string => cureOfModel(why, placeOf(dir, 'loose'));
  assert.match(loose('a web page, not an ONNX file'), new RegExp(`^rm -r ${at('loose.onnx')}, `));
  assert.equal(loose('a Git LFS pointer, not the file itself'), `git -C ${dir} lfs pull`);
  assert.equal(cureOfModel('a Git LFS pointer', placeOf(dir, 'folder')), `git -C ${at('folder')} lfs pull`);
  assert.ok(
    loose('name it in model.json').startsWith(
      `mkdir ${at('loose')} && mv ${at('loose.onnx')} ${at('loose/model.onnx')} `,
    ),
  );
  assert.ok(loose('IR version 14').endsWith(at('loose.onnx')));
});
