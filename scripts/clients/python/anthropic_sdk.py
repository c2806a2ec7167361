"""anthropic: messages."""

import anthropic
from program import WEATHER, Client, called, main


class Messages(Client):
    def ask(self, prompt, **more):
        client = anthropic.Anthropic(base_url=self.base, api_key=self.key)
        return client.messages.create(model=self.model, max_tokens=64, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.content[0].text, tokens(answer.usage)

    def stream(self, prompt):
        text, usage = "", None
        for event in self.ask(prompt, stream=True):
            text += event.delta.text if event.type == "content_block_delta" else ""
            usage = event.usage if event.type == "message_delta" else usage
        return text, usage and tokens(usage)

    def tools(self, prompt):
        tool = {"name": "weather", "description": WEATHER["description"], "input_schema": WEATHER["parameters"]}
        answer = self.ask(prompt, tools=[tool])
        return called(answer.content[0].name, answer.content[0].input), tokens(answer.usage)


def tokens(usage):
    """The shape counts what came from a cache and went into it apart."""
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, usage.output_tokens


main({"messages": Messages})
