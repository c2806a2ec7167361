"""pydantic-ai: an agent on chat completions, Responses, Anthropic and Google."""

import asyncio

from program import Client, main, weather
from pydantic_ai import Agent


class Agents(Client):
    def agent(self, **more):
        return Agent(self.model_object(), **more)

    def chat(self, prompt):
        answer = self.agent().run_sync(prompt)
        return answer.output, tokens(answer.usage)

    def stream(self, prompt):
        async def all_of_it():
            async with self.agent().run_stream(prompt) as answer:
                text = "".join([piece async for piece in answer.stream_text(delta=True)])
                return text, tokens(answer.usage)

        return asyncio.run(all_of_it())

    def tools(self, prompt):
        answer = self.agent(tools=[weather]).run_sync(prompt)
        return f"weather {weather.asked}", tokens(answer.usage)


class Chat(Agents):
    def model_object(self):
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(self.model, provider=OpenAIProvider(base_url=self.base, api_key=self.key))


class Responses(Agents):
    def model_object(self):
        from pydantic_ai.models.openai import OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIResponsesModel(self.model, provider=OpenAIProvider(base_url=self.base, api_key=self.key))


class Anthropic(Agents):
    def model_object(self):
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(self.model, provider=AnthropicProvider(base_url=self.base, api_key=self.key))


class Google(Agents):
    def model_object(self):
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(self.model, provider=GoogleProvider(base_url=self.base, api_key=self.key))


def tokens(usage):
    usage = usage() if callable(usage) else usage
    return usage.input_tokens, usage.output_tokens


main({"chat": Chat, "responses": Responses, "anthropic": Anthropic, "google": Google})
