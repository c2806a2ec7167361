"""groq and together: SDKs that were made from OpenAI's description."""

import importlib

from program import WEATHER, Client, called, main


class Chat(Client):
    """Chat completions of the SDK whose module and class are named."""

    module = kind = None

    def client(self):
        return getattr(importlib.import_module(self.module), self.kind)(base_url=self.base, api_key=self.key)

    def ask(self, prompt, **more):
        return self.client().chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.choices[0].message.content, tokens(answer.usage)

    def stream(self, prompt):
        text, usage = "", None
        for chunk in self.ask(prompt, stream=True):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            beside = getattr(chunk, "x_groq", None)
            usage = getattr(chunk, "usage", None) or (beside and beside.usage) or usage
        return text, usage and tokens(usage)

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "function": WEATHER}])
        function = answer.choices[0].message.tool_calls[0].function
        return called(function.name, function.arguments), tokens(answer.usage)

    def embed(self, prompt):
        answer = self.client().embeddings.create(model=self.embedding_model, input=prompt)
        # Together's type does not know this field, so it is a plain dictionary.
        return f"{len(answer.data[0].embedding)} numbers", (answer.usage["prompt_tokens"], 0)


class Groq(Chat):
    module, kind = "groq", "Groq"


class Together(Chat):
    module, kind = "together", "Together"


def tokens(usage):
    return usage.prompt_tokens, usage.completion_tokens


main({"groq": Groq, "together": Together})
