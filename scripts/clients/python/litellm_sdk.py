"""litellm: `completion` and `embedding`; the provider is in the model's name."""

import os

# Otherwise it asks a host on the internet for its prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from program import WEATHER, Client, called, main

litellm.suppress_debug_info = True


class Completion(Client):
    def ask(self, prompt, **more):
        return litellm.completion(model=self.model, api_base=self.base, api_key=self.key, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.choices[0].message.content, tokens(answer.usage)

    def stream(self, prompt):
        text, usage = "", None
        for chunk in self.ask(prompt, stream=True, stream_options={"include_usage": True}):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = getattr(chunk, "usage", None) or usage
        return text, usage and tokens(usage)

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "function": WEATHER}])
        function = answer.choices[0].message.tool_calls[0].function
        return called(function.name, function.arguments), tokens(answer.usage)

    def embed(self, prompt):
        answer = litellm.embedding(model=self.embedding_model, api_base=self.base, api_key=self.key, input=[prompt])
        return f"{len(answer.data[0]['embedding'])} numbers", (answer.usage.prompt_tokens, 0)


def tokens(usage):
    return usage.prompt_tokens, usage.completion_tokens


main({"completion": Completion})
