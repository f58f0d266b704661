import assert from 'node:assert/strict';
import { embed, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { areVectors, feature, isText, joined, RECIPE, WEATHER } from './report.mjs';

/** The first examples of the AI SDK's documentation, with the models of a provider. */
export async function checkAiSdk({ chat, embedding }) {
  await feature('chat', 'chat', async (name) => {
    const model = chat(name);
    const { text, usage } = await generateText({ model, prompt: 'What is love?', maxRetries: 0 });
    isText(text);
    assert.ok(usage.totalTokens > usage.outputTokens && usage.outputTokens > 0);
  });

  await feature('stream', 'chat', async (name) => {
    const result = streamText({
      model: chat(name),
      prompt: 'Invent a new holiday.',
      maxRetries: 0,
      onError: () => undefined,
    });
    isText(await joined(result.textStream, (text) => text));
    assert.ok((await result.usage).outputTokens > 0);
  });

  await feature('conversation', 'chat', async (name) => {
    const model = chat(name);
    const messages = [{ role: 'user', content: 'What is the capital of France?' }];
    const { response } = await generateText({ model, messages, maxRetries: 0 });
    messages.push(...response.messages, { role: 'user', content: 'And of Italy?' });
    isText((await generateText({ model, messages, maxRetries: 0 })).text);
  });

  await feature('tools', 'chat', async (name) => {
    const asked = [];
    const weather = tool({
      description: WEATHER.description,
      inputSchema: jsonSchema(WEATHER.parameters),
      execute: (input) => {
        asked.push(input.location);
        return { temperature: 14 };
      },
    });
    const { steps } = await generateText({
      ...{ model: chat(name), prompt: 'What is the weather in Paris?', maxRetries: 0, tools: { get_weather: weather } },
      stopWhen: stepCountIs(2),
      // The model calls in the first step and answers in the second.
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
    });
    assert.equal(steps.length, 2);
    isText(asked[0]);
  });

  await feature('JSON', 'chat', async (name) => {
    const output = Output.object({ schema: jsonSchema(RECIPE) });
    const result = await generateText({ model: chat(name), output, prompt: 'A recipe for lasagna.', maxRetries: 0 });
    if (result.finishReason === 'length') isText(result.text);
    else isText(result.output.name);
  });

  if (embedding === undefined) return;
  await feature('embeddings', 'embeddings', async (name) => {
    const model = embedding(name);
    const one = await embed({ model, value: 'sunny day at the beach', maxRetries: 0 });
    const values = ['sunny day at the beach', 'rainy afternoon in the city', 'snowy night in the mountains'];
    areVectors([one.embedding, ...(await embedMany({ model, values, maxRetries: 0 })).embeddings], 4);
  });
}
