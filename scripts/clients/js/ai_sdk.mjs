// ai (Vercel's AI SDK) with its providers: generateText, streamText, tools, embed.

import { embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { main, WEATHER } from "./program.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const tokens = (usage) => (usage.inputTokens === undefined ? null : [usage.inputTokens, usage.outputTokens]);

// What some of the providers say of an answer without an end, in place of an error.
class Interrupted extends Error {}

// Reads everything that a stream says: an error arrives as a part of it, or the loop throws.
async function streamed(asked) {
  let text = "";
  let failed = null;
  let usage = null;
  for await (const part of streamText({ ...asked, onError() {} }).fullStream) {
    text += part.type === "text-delta" ? part.text : "";
    failed ??= part.type === "error" ? part.error : null;
    usage = part.type === "finish" ? part.totalUsage : usage;
    if (part.type === "finish" && part.finishReason === "interrupted") failed ??= new Interrupted("finishReason interrupted");
  }
  if (failed) throw failed;
  return [text, tokens(usage)];
}

function client(provider, embedder) {
  return {
    async chat(at) {
      const answer = await generateText({ model: await provider(at), prompt: at.prompt });
      return [answer.text, tokens(answer.usage)];
    },
    async stream(at) {
      return streamed({ model: await provider(at), prompt: at.prompt });
    },
    async tools(at) {
      let asked = null;
      const execute = async ({ city }) => {
        asked = city;
        return "rain";
      };
      const weather = tool({ description: WEATHER.description, inputSchema: jsonSchema(WEATHER.parameters), execute });
      const [, used] = await streamed({ model: await provider(at), prompt: at.prompt, tools: { weather }, stopWhen: stepCountIs(3) });
      return [`weather ${asked}`, used];
    },
    async embed(at) {
      const answer = await embed({ model: await embedder(at), value: at.prompt });
      return [`${answer.embedding.length} numbers`, Number.isFinite(answer.usage.tokens) ? [answer.usage.tokens, 0] : null];
    },
  };
}

const made = (at) => ({ baseURL: at.base, apiKey: at.key });
const openai = async (at) => (await import("@ai-sdk/openai")).createOpenAI(made(at));
const compatible = async (at) => (await import("@ai-sdk/openai-compatible")).createOpenAICompatible({ name: "keyway", ...made(at) });
const google = async (at) => (await import("@ai-sdk/google")).createGoogleGenerativeAI(made(at));
const mistral = async (at) => (await import("@ai-sdk/mistral")).createMistral(made(at));
const cohere = async (at) => (await import("@ai-sdk/cohere")).createCohere(made(at));

main({
  openai: client(async (at) => (await openai(at))(at.model), async (at) => (await openai(at)).textEmbeddingModel(at.embeddingModel)),
  "openai-chat": client(async (at) => (await openai(at)).chat(at.model)),
  compatible: client(async (at) => (await compatible(at))(at.model), async (at) => (await compatible(at)).textEmbeddingModel(at.embeddingModel)),
  anthropic: client(async (at) => (await import("@ai-sdk/anthropic")).createAnthropic(made(at))(at.model)),
  google: client(async (at) => (await google(at))(at.model), async (at) => (await google(at)).textEmbeddingModel(at.embeddingModel)),
  mistral: client(async (at) => (await mistral(at))(at.model), async (at) => (await mistral(at)).textEmbeddingModel(at.embeddingModel)),
  groq: client(async (at) => (await import("@ai-sdk/groq")).createGroq(made(at))(at.model)),
  cohere: client(async (at) => (await cohere(at))(at.model), async (at) => (await cohere(at)).textEmbeddingModel(at.embeddingModel)),
  xai: client(async (at) => (await import("@ai-sdk/xai")).createXai(made(at))(at.model)),
  deepseek: client(async (at) => (await import("@ai-sdk/deepseek")).createDeepSeek(made(at))(at.model)),
  openrouter: client(async (at) => (await import("@openrouter/ai-sdk-provider")).createOpenRouter(made(at)).chat(at.model)),
});
