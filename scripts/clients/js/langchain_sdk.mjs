// @langchain/openai: chat completions, Responses, embeddings.

import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { called, main, WEATHER } from "./program.mjs";

const tokens = (usage) => [usage.input_tokens, usage.output_tokens];

function client(useResponsesApi) {
  const model = (at) => new ChatOpenAI({ model: at.model, apiKey: at.key, useResponsesApi, maxRetries: 2, configuration: { baseURL: at.base } });
  return {
    async chat(at) {
      const answer = await model(at).invoke(at.prompt);
      return [answer.text, tokens(answer.usage_metadata)];
    },
    async stream(at) {
      let whole = null;
      for await (const chunk of await model(at).stream(at.prompt)) whole = whole === null ? chunk : whole.concat(chunk);
      return [whole.text, whole.usage_metadata ? tokens(whole.usage_metadata) : null];
    },
    async tools(at) {
      const answer = await model(at).bindTools([{ type: "function", function: WEATHER }]).invoke(at.prompt);
      return [called(answer.tool_calls[0].name, answer.tool_calls[0].args), tokens(answer.usage_metadata)];
    },
    async embed(at) {
      const made = new OpenAIEmbeddings({ model: at.embeddingModel, apiKey: at.key, configuration: { baseURL: at.base } });
      return [`${(await made.embedQuery(at.prompt)).length} numbers`, null];
    },
  };
}

main({ chat: client(false), responses: client(true) });
