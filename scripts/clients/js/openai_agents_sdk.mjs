// @openai/agents: an agent on Responses, which is its default, and on chat completions.

import { Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { main, WEATHER } from "./program.mjs";

setTracingDisabled(true);

const told = (done) => {
  const { usage } = done.state;
  return [String(done.finalOutput), [usage.inputTokens, usage.outputTokens]];
};

function client(Model) {
  const agent = (at, more = {}) => new Agent({ name: "clients", model: new Model(new OpenAI({ baseURL: at.base, apiKey: at.key }), at.model), ...more });
  return {
    async chat(at) {
      return told(await run(agent(at), at.prompt));
    },
    async stream(at) {
      const running = await run(agent(at), at.prompt, { stream: true });
      for await (const _ of running);
      await running.completed;
      return told(running);
    },
    async tools(at) {
      let asked = null;
      const execute = async ({ city }) => {
        asked = city;
        return "rain";
      };
      const weather = tool({ name: "weather", description: WEATHER.description, parameters: WEATHER.parameters, strict: true, execute });
      const [, tokens] = told(await run(agent(at, { tools: [weather] }), at.prompt));
      return [`weather ${asked}`, tokens];
    },
  };
}

main({ responses: client(OpenAIResponsesModel), chat: client(OpenAIChatCompletionsModel) });
