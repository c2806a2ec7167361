// @anthropic-ai/sdk: messages.

import Anthropic from "@anthropic-ai/sdk";
import { called, main, WEATHER } from "./program.mjs";

const ask = (at, more = {}) => {
  const client = new Anthropic({ baseURL: at.base, apiKey: at.key });
  return client.messages.create({ model: at.model, max_tokens: 64, messages: [{ role: "user", content: at.prompt }], ...more });
};
// The shape counts what came from a cache and went into it apart.
const tokens = (usage) => [usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, usage.output_tokens];

const messages = {
  async chat(at) {
    const answer = await ask(at);
    return [answer.content[0].text, tokens(answer.usage)];
  },
  async stream(at) {
    let text = "";
    let usage = null;
    for await (const event of await ask(at, { stream: true })) {
      text += event.type === "content_block_delta" ? event.delta.text : "";
      usage = event.type === "message_delta" ? event.usage : usage;
    }
    return [text, usage && tokens(usage)];
  },
  async tools(at) {
    const answer = await ask(at, { tools: [{ name: WEATHER.name, input_schema: WEATHER.parameters }] });
    return [called(answer.content[0].name, answer.content[0].input), tokens(answer.usage)];
  },
};

main({ messages });
