import { OpenAI, OpenAIEmbedding } from '@llamaindex/openai';
import { areVectors, feature, isText, joined, url, WEATHER } from './report.mjs';

const chat = (model) => new OpenAI({ model, apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the meaning of life?' }];

await feature('chat', 'chat', async (model) => {
  isText((await chat(model).chat({ messages })).message.content);
});

await feature('stream', 'chat', async (model) => {
  isText(await joined(await chat(model).chat({ messages, stream: true }), ({ delta }) => delta));
});

await feature('tools', 'chat', async (model) => {
  const tool = { metadata: WEATHER, call: () => '14 degrees' };
  const llm = new OpenAI({
    ...{ model, apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 },
    additionalChatOptions: { tool_choice: 'required' },
  });
  const { message } = await llm.chat({ messages, tools: [tool] });
  isText(message.options.toolCall[0].name);
});

await feature('embeddings', 'embeddings', async (model) => {
  const embedding = new OpenAIEmbedding({ model, apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 });
  areVectors([await embedding.getTextEmbedding('Hi'), ...(await embedding.getTextEmbeddings(['Hello', 'Bye']))], 3);
});
