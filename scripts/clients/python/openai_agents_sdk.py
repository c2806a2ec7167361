"""openai-agents: an agent on Responses, which is its default, and on chat completions."""

import asyncio

import agents
from openai import AsyncOpenAI
from program import Client, main, weather

agents.set_tracing_disabled(True)


class Responses(Client):
    kind = agents.OpenAIResponsesModel

    def agent(self, **more):
        model = self.kind(model=self.model, openai_client=AsyncOpenAI(base_url=self.base, api_key=self.key))
        return agents.Agent(name="clients", model=model, **more)

    def chat(self, prompt):
        return told(agents.Runner.run_sync(self.agent(), prompt))

    def stream(self, prompt):
        async def all_of_it():
            run = agents.Runner.run_streamed(self.agent(), prompt)
            async for _ in run.stream_events():
                pass
            return told(run)

        return asyncio.run(all_of_it())

    def tools(self, prompt):
        run = agents.Runner.run_sync(self.agent(tools=[agents.function_tool(weather)]), prompt)
        # The decorated function is another object; the run knows what was asked for.
        item = next(item for item in run.new_items if item.type == "tool_call_item")
        return f"weather {item.raw_item.arguments.split(chr(34))[3]}", told(run)[1]


class Chat(Responses):
    kind = agents.OpenAIChatCompletionsModel


def told(run):
    usage = run.context_wrapper.usage
    return str(run.final_output), (usage.input_tokens, usage.output_tokens)


main({"responses": Responses, "chat": Chat})
