import { lstatSync, statSync } from 'node:fs';
import path from 'node:path';
import { quoted } from './options.ts';

/** Commands that mend a model that cannot be served. */

/** Where a model of this name is: its folder, the ONNX file of its name, or the folder of models, where that is itself the model. */
export function placeOf(modelsDir: string, name: string): string {
  const places = [path.join(modelsDir, name), path.join(modelsDir, `${name}.onnx`)];
  return places.find((place) => lstatSync(place, { throwIfNoEntry: false }) !== undefined) ?? modelsDir;
}

/** By words in the reason. */
const CURES: readonly (readonly [RegExp, (place: string) => string])[] = [
  [/Git LFS pointer/, (place) => `git -C ${quoted(isFile(place) ? path.dirname(place) : place)} lfs pull`],
  [/EACCES|permission/i, (place) => `chmod -R a+rX ${quoted(place)}`],
  [/link that leads nowhere/, (place) => `ls -l ${quoted(place)}`],
  [/model\.json/, editCure],
  [/there is no such file/, (place) => `ls ${quoted(place)}   # the file that model.json names, or model.onnx`],
  [
    /no ONNX file, only/,
    (place) =>
      `optimum-cli export onnx --model ${quoted(place)} ${quoted(`${place}-onnx`)}   # of pip install "optimum[onnx]"`,
  ],
  [
    /no ONNX file/,
    (place) => `ls ${quoted(place)}   # copy model.onnx there; a folder of another kind belongs elsewhere`,
  ],
  [
    /not an ONNX file|no ONNX model|empty/,
    (place) => `rm -r ${quoted(place)}, and fetch the model again: carpool pull hf:<owner>/<name>`,
  ],
];

/** The command that mends what `why` tells of the model at `place`. */
export function cureOfModel(why: string, place: string): string {
  const cure = CURES.find(([words]) => words.test(why))?.[1];
  return cure?.(place) ?? `carpool list   # and docs/models.md; the model is ${quoted(place)}`;
}

/** An ONNX file without a folder has no `model.json`. */
function editCure(place: string): string {
  const fields = 'docs/models.md lists the fields';
  if (!isFile(place)) return `edit ${quoted(path.join(place, 'model.json'))}: ${fields}`;
  const folder = path.join(path.dirname(place), path.basename(place, path.extname(place)));
  return `mkdir ${quoted(folder)} && mv ${quoted(place)} ${quoted(path.join(folder, 'model.onnx'))}   # there is room for model.json: ${fields}`;
}

/** False where nothing is there. */
export function isFile(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() === true;
}
