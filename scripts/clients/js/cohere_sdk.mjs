// cohere-ai: the v2 API.

import { CohereClientV2 } from "cohere-ai";
import { called, main, WEATHER } from "./program.mjs";

const client = (at) => new CohereClientV2({ token: at.key, environment: at.base });
const asked = (at, more = {}) => ({ model: at.model, messages: [{ role: "user", content: at.prompt }], ...more });
const billed = (usage) => [usage.billedUnits.inputTokens, usage.billedUnits.outputTokens];

const v2 = {
  async chat(at) {
    const answer = await client(at).chat(asked(at));
    return [answer.message.content[0].text, billed(answer.usage)];
  },
  async stream(at) {
    let text = "";
    let usage = null;
    for await (const event of await client(at).chatStream(asked(at))) {
      text += event.type === "content-delta" ? event.delta.message.content.text : "";
      usage = event.type === "message-end" ? event.delta.usage : usage;
    }
    return [text, usage && billed(usage)];
  },
  async tools(at) {
    const answer = await client(at).chat(asked(at, { tools: [{ type: "function", function: WEATHER }] }));
    const { name, arguments: given } = answer.message.toolCalls[0].function;
    return [called(name, given), billed(answer.usage)];
  },
  async embed(at) {
    const answer = await client(at).embed({ model: at.embeddingModel, texts: [at.prompt], inputType: "search_document", embeddingTypes: ["float"] });
    return [`${answer.embeddings.float[0].length} numbers`, [answer.meta.billedUnits.inputTokens, 0]];
  },
};

main({ v2 });
