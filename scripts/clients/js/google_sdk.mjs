// @google/genai: generateContent and embedContent.

import { GoogleGenAI, Type } from "@google/genai";
import { called, main } from "./program.mjs";

const client = (at) => new GoogleGenAI({ apiKey: at.key, httpOptions: { baseUrl: at.base } });
const tokens = (usage) => [usage.promptTokenCount, usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0)];
const declared = { name: "weather", parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } } } };

const generate = {
  async chat(at) {
    const answer = await client(at).models.generateContent({ model: at.model, contents: at.prompt });
    return [answer.text, tokens(answer.usageMetadata)];
  },
  async stream(at) {
    let text = "";
    let usage = null;
    for await (const chunk of await client(at).models.generateContentStream({ model: at.model, contents: at.prompt })) {
      text += chunk.text ?? "";
      usage = chunk.usageMetadata ?? usage;
    }
    return [text, usage && tokens(usage)];
  },
  async tools(at) {
    const asked = { model: at.model, contents: at.prompt, config: { tools: [{ functionDeclarations: [declared] }] } };
    const answer = await client(at).models.generateContent(asked);
    return [called(answer.functionCalls[0].name, answer.functionCalls[0].args), tokens(answer.usageMetadata)];
  },
  async embed(at) {
    const answer = await client(at).models.embedContent({ model: at.embeddingModel, contents: at.prompt });
    return [`${answer.embeddings[0].values.length} numbers`, null];
  },
};

main({ generate });
