import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import OpenAI from 'openai';
import { areVectors, feature, isAudio, isText, joined, RECIPE, sample, url, WEATHER } from './report.mjs';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const messages = [
  { role: 'developer', content: 'Talk like a pirate.' },
  { role: 'user', content: 'Are semicolons optional in JavaScript?' },
];
const ASK = { role: 'user', content: 'What is the weather like in Paris today?' };

await feature('chat', 'chat', async (model) => {
  const completion = await client.chat.completions.create({ model, messages });
  isText(completion.choices[0].message.content);
  assert.ok(completion.usage.total_tokens > completion.usage.prompt_tokens);
});

await feature('stream', 'chat', async (model) => {
  const stream = await client.chat.completions.create({ model, messages, stream: true });
  isText(await joined(stream, (chunk) => chunk.choices[0]?.delta?.content));
});

await feature('responses', 'chat', async (model) => {
  const response = await client.responses.create({
    model,
    instructions: 'You are a coding assistant that talks like a pirate',
    input: 'Are semicolons optional in JavaScript?',
  });
  isText(response.output_text);
  const stream = await client.responses.create({
    model,
    input: 'Say "Sheep sleep deep" ten times fast!',
    stream: true,
  });
  const types = [];
  for await (const event of stream) types.push(event.type);
  assert.equal(types[0], 'response.created');
  assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
});

await feature('tools', 'chat', async (model) => {
  const tools = [{ type: 'function', function: { ...WEATHER, strict: true } }];
  const forced = { type: 'function', function: { name: WEATHER.name } };
  const { choices } = await client.chat.completions.create({ model, messages: [ASK], tools, tool_choice: forced });
  const [call] = choices[0].message.tool_calls;
  isText(JSON.parse(call.function.arguments).location);
  const answered = [ASK, choices[0].message, { role: 'tool', tool_call_id: call.id, content: '14 degrees' }];
  isText((await client.chat.completions.create({ model, messages: answered, tools })).choices[0].message.content);
});

await feature('JSON', 'chat', async (model) => {
  const asked = [{ role: 'user', content: 'A recipe for lasagna.' }];
  const format = { type: 'json_schema', json_schema: { name: 'recipe', schema: RECIPE, strict: true } };
  const chat = await client.chat.completions.create({ model, messages: asked, response_format: format });
  isRecipe(chat.choices[0].message.content, chat.choices[0].finish_reason === 'length');
  const response = await client.responses.create({
    ...{ model, input: asked },
    text: { format: { type: 'json_schema', name: 'recipe', schema: RECIPE, strict: true } },
  });
  isRecipe(response.output_text, response.status === 'incomplete');
});

function isRecipe(text, isCut) {
  if (isCut) isText(text);
  else assert.deepEqual(Object.keys(JSON.parse(text)), ['name', 'steps']);
}

await feature('embeddings', 'embeddings', async (model) => {
  const input = 'The quick brown fox jumped over the lazy dog';
  const floats = await client.embeddings.create({ model, input, encoding_format: 'float' });
  const { data } = await client.embeddings.create({ model, input });
  areVectors([floats.data[0].embedding, data[0].embedding], 2);
});

await feature('transcription', 'transcription', async (model) => {
  isText((await client.audio.transcriptions.create({ file: createReadStream(sample), model })).text);
});

await feature('images', 'text-to-image', async (model) => {
  const { data } = await client.images.generate({ model, prompt: 'A cute baby sea otter', n: 1 });
  isText(data[0].b64_json);
});

await feature('speech', 'text-to-speech', async (model) => {
  const asked = { model, voice: 'alloy', input: 'The quick brown fox jumped over the lazy dog.' };
  isAudio(Buffer.from(await (await client.audio.speech.create(asked)).arrayBuffer()));
});
