// @mistralai/mistralai: chat and embeddings.

import { Mistral } from "@mistralai/mistralai";
import { called, main, WEATHER } from "./program.mjs";

const client = (at) => new Mistral({ apiKey: at.key, serverURL: at.base });
const asked = (at, more = {}) => ({ model: at.model, messages: [{ role: "user", content: at.prompt }], ...more });
const tokens = (usage) => [usage.promptTokens, usage.completionTokens];

const chat = {
  async chat(at) {
    const answer = await client(at).chat.complete(asked(at));
    return [answer.choices[0].message.content, tokens(answer.usage)];
  },
  async stream(at) {
    let text = "";
    let usage = null;
    for await (const event of await client(at).chat.stream(asked(at))) {
      text += event.data.choices[0]?.delta?.content ?? "";
      usage = event.data.usage ?? usage;
    }
    return [text, usage && tokens(usage)];
  },
  async tools(at) {
    const answer = await client(at).chat.complete(asked(at, { tools: [{ type: "function", function: WEATHER }] }));
    const { name, arguments: given } = answer.choices[0].message.toolCalls[0].function;
    return [called(name, given), tokens(answer.usage)];
  },
  async embed(at) {
    const answer = await client(at).embeddings.create({ model: at.embeddingModel, inputs: [at.prompt] });
    return [`${answer.data[0].embedding.length} numbers`, [answer.usage.promptTokens, 0]];
  },
};

main({ chat });
