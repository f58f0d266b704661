import { createOpenAI } from '@ai-sdk/openai';
import { url } from './report.mjs';
import { checkAiSdk } from './ai-sdk-checks.mjs';
import { readFile } from 'node:fs/promises';
import {
  experimental_generateImage as generateImage,
  experimental_generateSpeech as generateSpeech,
  experimental_transcribe as transcribe,
} from 'ai';
import assert from 'node:assert/strict';
import { feature, isAudio, isText, sample } from './report.mjs';

// The default model is the one of the Responses API.
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
await checkAiSdk({ chat: (name) => openai(name), embedding: (name) => openai.embedding(name) });

await feature('completions', 'chat', async (model) => {
  const { generateText } = await import('ai');
  isText((await generateText({ model: openai.completion(model), prompt: 'Once upon a time', maxRetries: 0 })).text);
});

await feature('transcription', 'transcription', async (model) => {
  isText((await transcribe({ model: openai.transcription(model), audio: await readFile(sample), maxRetries: 0 })).text);
});

await feature('images', 'text-to-image', async (model) => {
  const { image } = await generateImage({ model: openai.image(model), prompt: 'A cute baby sea otter', maxRetries: 0 });
  assert.ok(image.uint8Array.length > 0);
});

await feature('speech', 'text-to-speech', async (model) => {
  const { audio } = await generateSpeech({
    model: openai.speech(model),
    text: 'Hello, world!',
    voice: 'alloy',
    maxRetries: 0,
  });
  isAudio(audio.uint8Array);
});
