import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import { failed } from '../../../src/programs/failure.ts';
import { readOnnxModel } from '../../../src/onnx/structure.ts';
import { attentionOutputs, findAttention } from '../../../src/onnx/surgery/attention-outputs.ts';
import { rewritten } from '../../../src/onnx/surgery/rewrite.ts';
import { SpeechProgram } from '../../../src/programs/speech/program.ts';
import { LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import { alignedTokens } from '../../../src/tasks/transcription/speech-work.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { tone } from '../../tasks/transcription/support.ts';
import { plainAttention } from './plain-whisper.ts';
import { openParts, ticketOf, tinyModelFolder, tokensOf } from './support.ts';
import { HEADS, MELS, TOKEN } from './tiny-whisper.ts';

/** Runs tickets until all have ended. */
async function finish(program: SpeechProgram, tickets: readonly LaneTicket[]): Promise<TicketOutcome[]> {
  const ended = new Map<number, TicketOutcome>();
  let live = [...tickets];
  for (let round = 0; live.length > 0; round += 1) {
    assert.ok(round < 2000, 'the tickets never end');
    const { outcomes } = await program.run(live);
    const next: LaneTicket[] = [];
    for (const [index, { id }] of live.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined && 'more' in outcome) next.push({ id });
      else if (outcome !== undefined) ended.set(id, outcome);
    }
    live = next;
  }
  await program.run([]);
  return tickets.map(({ id }) => ended.get(id) ?? failed('lost'));
}

test('a window that asks for it gets the attention of its text to its audio, beside others that do not', async (t) => {
  await using model = await tinyModelFolder();
  const parts = await openParts(model.folder);
  const program = new SpeechProgram(parts);
  t.after(() => program.release());
  const clip = tone(300, 10);
  const prompt = [TOKEN.start, TOKEN.fr, TOKEN.transcribe, TOKEN.noTimestamps];
  const frames = 500;
  const [alone, aligned, again] = await finish(program, [
    ticketOf(1, clip),
    ticketOf(2, clip, { alignFrames: frames }),
    ticketOf(3, clip, { alignFrames: frames }),
  ]);
  assert.deepEqual(tokensOf(aligned), tokensOf(alone));
  const text = tokensOf(aligned).filter((id) => id < TOKEN.end);
  const ids = alignedTokens(prompt, text, { tokens: parts.tokens, language: TOKEN.fr });
  const expected = plainAttention(new LogMel(MELS).features(clip), ids);
  const attention = aligned !== undefined && 'outputs' in aligned ? aligned.outputs[3] : undefined;
  assert.ok(attention !== undefined && attention.datatype === 'FP32');
  assert.deepEqual(attention.shape, [1, HEADS, ids.length, frames]);
  const values = typedView(attention) as Float32Array;
  for (let head = 0; head < HEADS; head += 1)
    for (const [row, heads] of expected.entries())
      for (let frame = 0; frame < frames; frame += 1) {
        const value = values[(head * ids.length + row) * frames + frame] ?? NaN;
        assert.ok(Math.abs(value - (heads[head]?.[frame] ?? NaN)) < 1e-4, `head ${head}, token ${row}, frame ${frame}`);
      }
  assert.deepEqual(again, aligned);
  assert.equal(alone !== undefined && 'outputs' in alone ? alone.outputs.length : 0, 2);
});

test('the prompt of an alignment has the language that was heard, and no earlier text', async () => {
  await using model = await tinyModelFolder();
  const { tokens, encoder, decoder, voice } = await openParts(model.folder);
  await Promise.all([encoder.release(), decoder.release(), voice.release()]);
  const prompt = [TOKEN.startOfPrevious, 1, 2, TOKEN.start, -1, TOKEN.translate];
  assert.deepEqual(alignedTokens(prompt, [7, 8], { tokens, language: TOKEN.de }), [
    ...[TOKEN.start, TOKEN.de, TOKEN.translate, TOKEN.noTimestamps],
    ...[7, 8, TOKEN.end],
  ]);
});

test('a decoder that gives its attention itself is taken as it is', async (t) => {
  await using model = await tinyModelFolder();
  const file = `${model.folder}/onnx/decoder_model_merged.onnx`;
  const changed = rewritten(file, [attentionOutputs(findAttention(readOnnxModel(file).graph))]);
  assert.ok(changed !== undefined);
  await writeFile(file, changed);
  const parts = await openParts(model.folder);
  const program = new SpeechProgram(parts);
  t.after(() => program.release());
  const [aligned] = await finish(program, [ticketOf(1, tone(300, 10), { alignFrames: 500 })]);
  assert.equal(aligned !== undefined && 'outputs' in aligned ? aligned.outputs.length : 0, 4);
});

test('where no attention can be had, a window that asks for it gets its text alone', async (t) => {
  await using model = await tinyModelFolder();
  const parts = await openParts(model.folder);
  // A head of a layer that the decoder does not have.
  const program = new SpeechProgram({ ...parts, tokens: { ...parts.tokens, alignmentHeads: [[7, 0]] } });
  t.after(() => program.release());
  assert.ok(program.description.signature.outputs.every(({ name }) => name !== 'attention'));
  const [outcome] = await finish(program, [ticketOf(1, tone(300, 10), { alignFrames: 500 })]);
  assert.ok(outcome !== undefined && 'outputs' in outcome && outcome.outputs.length === 2);
});
