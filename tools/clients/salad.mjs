import assert from 'node:assert/strict';
import { createSaladCloud } from '@saladtechnologies-oss/ai-sdk-provider';
// The provider is for version 7 of the AI SDK.
import { generateText, streamText } from 'ai-7';
import { feature, isText, joined, url } from './report.mjs';

const saladCloud = createSaladCloud({ apiKey: 'none', baseURL: `${url}/v1` });

await feature('chat', 'chat', async (name) => {
  const model = saladCloud(name);
  isText((await generateText({ model, prompt: 'Say hello in one sentence.', maxRetries: 0 })).text);
});

await feature('stream', 'chat', async (name) => {
  const result = streamText({ model: saladCloud(name), prompt: 'Say hello in one sentence.', maxRetries: 0 });
  isText(await joined(result.textStream, (text) => text));
  // The provider reads the counts in the chunk that ends the answer.
  assert.ok((await result.usage).outputTokens > 0);
});

await feature('reasoning', 'chat', async (name) => {
  const options = { reasoning: 'none', providerOptions: { 'salad-cloud': { topK: 40 } }, maxRetries: 0 };
  isText((await generateText({ model: saladCloud(name), prompt: 'Think briefly, then answer.', ...options })).text);
});
