import assert from 'node:assert/strict';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { areVectors, feature, isText, joined, RECIPE, url, WEATHER } from './report.mjs';

const configuration = { baseURL: `${url}/v1` };
const chat = (model) => new ChatOpenAI({ model, apiKey: 'none', maxRetries: 0, configuration });
const TRANSLATE = [
  ['system', 'You are a helpful assistant that translates English to French. Translate the user sentence.'],
  ['human', 'I love programming.'],
];

await feature('chat', 'chat', async (model) => {
  const { content, usage_metadata: usage } = await chat(model).invoke(TRANSLATE);
  isText(content);
  assert.ok(usage.total_tokens > usage.input_tokens);
});

await feature('stream', 'chat', async (model) => {
  isText(await joined(await chat(model).stream(TRANSLATE), ({ content }) => content));
});

await feature('responses', 'chat', async (model) => {
  const asked = new ChatOpenAI({ model, apiKey: 'none', maxRetries: 0, configuration, useResponsesApi: true });
  isText((await asked.invoke(TRANSLATE)).text);
});

await feature('tools', 'chat', async (model) => {
  const bound = chat(model).bindTools([{ type: 'function', function: WEATHER }], { tool_choice: WEATHER.name });
  const { tool_calls: calls } = await bound.invoke('What is the weather in Paris?');
  isText(calls[0].args.location);
});

await feature('JSON', 'chat', async (model) => {
  const asked = chat(model).withStructuredOutput({ title: 'recipe', ...RECIPE }, { includeRaw: true });
  const { parsed, raw } = await asked.invoke('A recipe for lasagna.');
  if (raw.response_metadata.finish_reason !== 'length') isText(parsed.name);
});

await feature('embeddings', 'embeddings', async (model) => {
  const embeddings = new OpenAIEmbeddings({ model, apiKey: 'none', maxRetries: 0, configuration });
  areVectors([await embeddings.embedQuery('Hi'), ...(await embeddings.embedDocuments(['Hello', 'Bye']))], 3);
});
