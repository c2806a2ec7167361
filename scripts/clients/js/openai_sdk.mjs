// openai: chat completions, Responses and embeddings.

import OpenAI from "openai";
import { called, main, WEATHER } from "./program.mjs";

const client = (at) => new OpenAI({ baseURL: at.base, apiKey: at.key });
const ask = (at, more = {}) => client(at).chat.completions.create({ model: at.model, messages: [{ role: "user", content: at.prompt }], ...more });
const respond = (at, more = {}) => client(at).responses.create({ model: at.model, input: at.prompt, ...more });
const completed = (usage) => [usage.prompt_tokens, usage.completion_tokens];
const responded = (usage) => [usage.input_tokens, usage.output_tokens];

const chat = {
  async chat(at) {
    const answer = await ask(at);
    return [answer.choices[0].message.content, completed(answer.usage)];
  },
  async stream(at) {
    let text = "";
    let tokens = null;
    for await (const chunk of await ask(at, { stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta?.content ?? "";
      tokens = chunk.usage ? completed(chunk.usage) : tokens;
    }
    return [text, tokens];
  },
  async tools(at) {
    const answer = await ask(at, { tools: [{ type: "function", function: WEATHER }] });
    const { name, arguments: given } = answer.choices[0].message.tool_calls[0].function;
    return [called(name, given), completed(answer.usage)];
  },
  async embed(at) {
    const answer = await client(at).embeddings.create({ model: at.embeddingModel, input: at.prompt, encoding_format: "float" });
    return [`${answer.data[0].embedding.length} numbers`, [answer.usage.prompt_tokens, 0]];
  },
};

const responses = {
  async chat(at) {
    const answer = await respond(at);
    return [answer.output_text, responded(answer.usage)];
  },
  async stream(at) {
    let text = "";
    let tokens = null;
    for await (const event of await respond(at, { stream: true })) {
      text += event.type === "response.output_text.delta" ? event.delta : "";
      tokens = event.type === "response.completed" ? responded(event.response.usage) : tokens;
    }
    return [text, tokens];
  },
  async tools(at) {
    const answer = await respond(at, { tools: [{ type: "function", strict: true, ...WEATHER }] });
    return [called(answer.output[0].name, answer.output[0].arguments), responded(answer.usage)];
  },
};

main({ chat, responses });
