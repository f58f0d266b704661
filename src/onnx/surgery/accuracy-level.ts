/**
 * With which precision ONNX Runtime multiplies by weights of 4 or 8 bits in blocks (MatMulNBits): 0 and 1 in float32, 2 in float16, 3 in
 * bfloat16, 4 with activations in 8 bits (ContribOperators.md, `accuracy_level`). The export chose; the machine may know better.
 */

/** `name` of an AttributeProto (onnx.proto3), field 1, as it lies in the file. */
const NAME = Buffer.concat([Buffer.of(0x0a, 14), Buffer.from('accuracy_level')]);
/** Field 20, `type`: INT. */
const TYPE_INT = [0xa0, 0x01, 0x02];
/** Field 3, `i`, a varint. */
const INTEGER = 0x18;

/** Sets the level of every operator that states one, in the bytes of an ONNX file. Returns how many there are. */
export function setAccuracyLevel(model: Buffer, level: number): number {
  let count = 0;
  for (let at = model.indexOf(NAME); at >= 0; at = model.indexOf(NAME, at + 1)) {
    let next = at + NAME.length;
    if (TYPE_INT.every((byte, index) => model[next + index] === byte)) next += TYPE_INT.length;
    // A level is one byte as a varint. What follows a text that only looks like the name is something else.
    if (model[next] !== INTEGER || (model[next + 1] ?? 0xff) > 4) continue;
    model[next + 1] = level;
    count += 1;
  }
  return count;
}
