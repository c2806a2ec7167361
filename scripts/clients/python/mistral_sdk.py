"""mistralai: chat and embeddings."""

from mistralai.client import Mistral
from program import WEATHER, Client, called, main


class Chat(Client):
    def client(self):
        return Mistral(api_key=self.key, server_url=self.base)

    def ask(self, prompt, **more):
        return self.client().chat.complete(model=self.model, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.choices[0].message.content, tokens(answer.usage)

    def stream(self, prompt):
        text, usage = "", None
        for event in self.client().chat.stream(model=self.model, messages=[{"role": "user", "content": prompt}]):
            text, usage = text + (event.data.choices[0].delta.content or ""), event.data.usage or usage
        return text, usage and tokens(usage)

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "function": WEATHER}])
        function = answer.choices[0].message.tool_calls[0].function
        return called(function.name, function.arguments), tokens(answer.usage)

    def embed(self, prompt):
        answer = self.client().embeddings.create(model=self.embedding_model, inputs=[prompt])
        return f"{len(answer.data[0].embedding)} numbers", (answer.usage.prompt_tokens, 0)


def tokens(usage):
    return usage.prompt_tokens, usage.completion_tokens


main({"chat": Chat})
