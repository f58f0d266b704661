import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { experimental_generateImage as generateImage } from 'ai';
import { checkAiSdk } from './ai-sdk-checks.mjs';
import { feature, url } from './report.mjs';

const provider = createOpenAICompatible({
  ...{ name: 'carpool', apiKey: 'none', baseURL: `${url}/v1`, includeUsage: true },
  // Without it, the provider asks for any JSON and does not say which.
  supportsStructuredOutputs: true,
});
await checkAiSdk({ chat: (name) => provider(name), embedding: (name) => provider.textEmbeddingModel(name) });

await feature('images', 'text-to-image', async (name) => {
  const model = provider.imageModel(name);
  const { image } = await generateImage({ model, prompt: 'A cute baby sea otter', maxRetries: 0 });
  assert.ok(image.uint8Array.length > 0);
});
