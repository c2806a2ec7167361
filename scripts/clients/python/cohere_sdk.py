"""cohere: the v2 API, and chat of v1."""

import cohere
from program import WEATHER, Client, called, main


class V2(Client):
    def client(self):
        return cohere.ClientV2(api_key=self.key, base_url=self.base)

    def ask(self, prompt, **more):
        return self.client().chat(model=self.model, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.message.content[0].text, billed(answer.usage)

    def stream(self, prompt):
        text, usage = "", None
        for event in self.client().chat_stream(model=self.model, messages=[{"role": "user", "content": prompt}]):
            text += event.delta.message.content.text if event.type == "content-delta" else ""
            usage = event.delta.usage if event.type == "message-end" else usage
        return text, usage and billed(usage)

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "function": WEATHER}])
        function = answer.message.tool_calls[0].function
        return called(function.name, function.arguments), billed(answer.usage)

    def embed(self, prompt):
        answer = self.client().embed(model=self.embedding_model, texts=[prompt], input_type="search_document", embedding_types=["float"])
        return f"{len(answer.embeddings.float_[0])} numbers", (int(answer.meta.billed_units.input_tokens), 0)


class V1(Client):
    def chat(self, prompt):
        answer = cohere.Client(api_key=self.key, base_url=self.base).chat(model=self.model, message=prompt)
        return answer.text, billed(answer.meta)

    def stream(self, prompt):
        text, meta = "", None
        for event in cohere.Client(api_key=self.key, base_url=self.base).chat_stream(model=self.model, message=prompt):
            text += event.text if event.event_type == "text-generation" else ""
            meta = event.response.meta if event.event_type == "stream-end" else meta
        return text, meta and billed(meta)


def billed(usage):
    return int(usage.billed_units.input_tokens), int(usage.billed_units.output_tokens)


main({"v2": V2, "v1": V1})
