import { isObject, type JsonObject } from '../../json.ts';

/**
 * Messages of a chat as Ollama's clients write them, in OpenAI's form: calls of tools get ids, and the messages that answer them the same ones, in order.
 * What is wrong with them is told when they are read.
 */
export function openAiMessages(messages: unknown): unknown {
  if (!Array.isArray(messages)) return messages;
  const open: string[] = [];
  let calls = 0;
  const named = (call: unknown): unknown => {
    if (!isObject(call) || !isObject(call['function'])) return call;
    const id = `call_${calls}`;
    calls += 1;
    open.push(id);
    return { id, type: 'function', function: withText(call['function']) };
  };
  return (messages as unknown[]).map((message) => {
    if (!isObject(message)) return message;
    const { tool_calls: own, thinking, tool_name: name, images, ...others } = message;
    return {
      ...others,
      ...(thinking === undefined ? {} : { reasoning_content: thinking }),
      ...(Array.isArray(own) ? { tool_calls: (own as unknown[]).map(named) } : {}),
      ...(others['role'] === 'tool' ? { name, tool_call_id: open.shift() ?? 'call' } : {}),
      // Refused as what it is: a part that is no text.
      ...(Array.isArray(images) && images.length > 0 ? { content: [{ type: 'image' }] } : {}),
    };
  });
}

/** OpenAI's arguments are the text of an object. */
function withText(call: JsonObject): JsonObject {
  return isObject(call['arguments']) ? { ...call, arguments: JSON.stringify(call['arguments']) } : call;
}
