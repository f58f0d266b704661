import { open, readdir } from 'node:fs/promises';
import path from 'node:path';

const HEAD_BYTES = 256;

/** How files begin that people take for ONNX files, with what they are and what to do about it. */
const NO_GRAPHS: readonly (readonly [RegExp, string])[] = [
  [
    /^\s*(<!doctype html|<html)/i,
    'a web page, not an ONNX file: download the file itself (on the Hugging Face hub the address with `resolve` in place of `blob`)',
  ],
  [/^\s*[{[]/, 'JSON, not an ONNX file: the download may have failed with this answer'],
  [/^\s*<\?xml/, 'XML, not an ONNX file: the download may have failed with this answer'],
  [/^PK\x03\x04/, 'a zip archive (PyTorch keeps its weights in one), not an ONNX file: unpack or export it'],
  [/^\x1f\x8b/, 'compressed by gzip, not an ONNX file: unpack it'],
  [/^\x89HDF/, 'HDF5 (Keras), not an ONNX file: export it'],
  [/^GGUF/, 'GGUF, not an ONNX file: export the model to ONNX'],
  [/^.{4}ORTM/s, "ONNX Runtime's own format, not an ONNX file: take the .onnx that it was made from"],
  [
    /^(Entry|Repository|Access|Invalid|Unauthorized|Not Found)/i,
    'text, not an ONNX file: the download may have failed with this answer',
  ],
];

const LFS_POINTER = /^version https:\/\/git-lfs\.github\.com\/spec/;
const LFS_CURE = 'a Git LFS pointer, not the file itself: run `git lfs pull` where it was cloned, or download the file';

/** Why a file cannot be what its name says, judged by its first bytes; undefined if it may be. */
export async function wrongContents(file: string): Promise<string | undefined> {
  const head = await readHead(file);
  if (LFS_POINTER.test(head)) return LFS_CURE;
  if (!file.endsWith('.onnx')) return undefined;
  if (head === '') return 'the file is empty: copy or download it again';
  return NO_GRAPHS.find(([begins]) => begins.test(head))?.[1];
}

/** The same for the external data of an ONNX file, the files beside it whose names begin with its own: one line for each problem. */
export async function wrongExternalData(weights: string): Promise<string[]> {
  const folder = path.dirname(weights);
  const own = path.basename(weights);
  const problems: string[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${own}_data`) && !name.startsWith(`${own}.data`)) continue;
    if (LFS_POINTER.test(await readHead(path.join(folder, name)).catch(() => '')))
      problems.push(`${name}: ${LFS_CURE}`);
  }
  return problems;
}

/** The first bytes of a file, one character each. */
async function readHead(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
