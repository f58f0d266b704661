/** What the task benchmarks send. */

const WORDS = (
  'time person year way day thing man world life hand part child eye woman place work week case point government company number group ' +
  'problem fact water room mother area money story month book night study word house power game line end member law car city name team ' +
  'minute idea body back parent face level office door health art war history party result change morning reason research girl guy'
).split(' ');

/** A text that BERT's tokenizer makes into this many tokens, its two special ones included: each word is one. */
export function textOfTokens(tokens: number, from = 0): string {
  return Array.from({ length: tokens - 2 }, (_, index) => WORDS[(from + index * 7) % WORDS.length]).join(' ');
}

/** Texts of 4 to 200 tokens, most of them short, as queries and paragraphs come. */
export function mixedTexts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const fraction = ((index * 97) % 101) / 100;
    return textOfTokens(4 + Math.round(196 * fraction ** 3), index);
  });
}

export const PROMPTS: readonly string[] = [
  'What is the capital of France?',
  'Tell me a story about a dog and a river.',
  'How do I cook rice?',
  'Explain why the sky is blue.',
  'Write a short poem about winter.',
  'What is the difference between a lake and a sea?',
  'Give me three tips for learning a language.',
  'Who wrote Romeo and Juliet?',
];

const RATE = 16_000;

/** The samples of a 16-bit mono WAV of 16 kHz, as bytes. Throws a plain Error where there are none. */
export function samplesOf(wav: Uint8Array): Uint8Array {
  const view = new DataView(wav.buffer, wav.byteOffset, wav.byteLength);
  // Chunks (name, size, content) follow the 12 bytes of the RIFF header.
  for (let at = 12; at + 8 <= wav.byteLength; at += 8 + view.getUint32(at + 4, true))
    if (view.getUint32(at) === 0x64_61_74_61) return wav.subarray(at + 8, at + 8 + view.getUint32(at + 4, true));
  throw new Error('the WAV has no data chunk');
}

/** A 16-bit mono WAV of 16 kHz. */
function wavOf(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + bytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(2 * RATE, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(bytes, 40);
  const wav = new Uint8Array(header.byteLength + bytes);
  let at = 0;
  for (const part of [header, ...parts]) {
    wav.set(part, at);
    at += part.byteLength;
  }
  return wav;
}

/** Ten minutes of speech made of a 16-bit mono WAV of 16 kHz, said again and again with pauses of different length. */
export function longRecording(sample: Uint8Array): { wav: Uint8Array<ArrayBuffer>; seconds: number } {
  const speech = samplesOf(sample);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (let index = 0; bytes < 600 * RATE * 2; index += 1) {
    const pause = new Uint8Array(2 * Math.round(RATE * (0.2 + 0.13 * (index % 7))));
    parts.push(speech, pause);
    bytes += speech.byteLength + pause.byteLength;
  }
  return { wav: wavOf(parts), seconds: bytes / (RATE * 2) };
}
