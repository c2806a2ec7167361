// groq-sdk and together-ai: SDKs that were made from OpenAI's description.

import { called, main, WEATHER } from "./program.mjs";

const MODULES = { groq: "groq-sdk", together: "together-ai" };
const tokens = (usage) => [usage.prompt_tokens, usage.completion_tokens];

function chat(name) {
  const client = async (at) => new (await import(MODULES[name])).default({ baseURL: at.base, apiKey: at.key });
  const ask = async (at, more = {}) =>
    (await client(at)).chat.completions.create({ model: at.model, messages: [{ role: "user", content: at.prompt }], ...more });
  return {
    async chat(at) {
      const answer = await ask(at);
      return [answer.choices[0].message.content, tokens(answer.usage)];
    },
    async stream(at) {
      let text = "";
      let usage = null;
      for await (const chunk of await ask(at, { stream: true })) {
        text += chunk.choices[0]?.delta?.content ?? "";
        usage = chunk.usage ?? chunk.x_groq?.usage ?? usage;
      }
      return [text, usage && tokens(usage)];
    },
    async tools(at) {
      const answer = await ask(at, { tools: [{ type: "function", function: WEATHER }] });
      const { name: tool, arguments: given } = answer.choices[0].message.tool_calls[0].function;
      return [called(tool, given), tokens(answer.usage)];
    },
    async embed(at) {
      const answer = await (await client(at)).embeddings.create({ model: at.embeddingModel, input: at.prompt });
      return [`${answer.data[0].embedding.length} numbers`, [answer.usage.prompt_tokens, 0]];
    },
  };
}

main({ groq: chat("groq"), together: chat("together") });
