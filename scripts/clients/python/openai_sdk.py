"""openai: chat completions, Responses and embeddings."""

import openai
from program import WEATHER, Client, called, main


class Chat(Client):
    def client(self):
        return openai.OpenAI(base_url=self.base, api_key=self.key)

    def ask(self, prompt, **more):
        return self.client().chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}], **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.choices[0].message.content, (answer.usage.prompt_tokens, answer.usage.completion_tokens)

    def stream(self, prompt):
        text, tokens = "", None
        for chunk in self.ask(prompt, stream=True, stream_options={"include_usage": True}):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens) if chunk.usage else tokens
        return text, tokens

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "function": WEATHER}])
        function = answer.choices[0].message.tool_calls[0].function
        return called(function.name, function.arguments), (answer.usage.prompt_tokens, answer.usage.completion_tokens)

    def embed(self, prompt):
        answer = self.client().embeddings.create(model=self.embedding_model, input=prompt)
        return f"{len(answer.data[0].embedding)} numbers", (answer.usage.prompt_tokens, 0)


class PlainChat(Chat):
    """Streams without asking for usage, as most applications do."""

    def stream(self, prompt):
        chunks = self.ask(prompt, stream=True)
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices), None


class Responses(Client):
    def ask(self, prompt, **more):
        return openai.OpenAI(base_url=self.base, api_key=self.key).responses.create(model=self.model, input=prompt, **more)

    def chat(self, prompt):
        answer = self.ask(prompt)
        return answer.output_text, (answer.usage.input_tokens, answer.usage.output_tokens)

    def stream(self, prompt):
        text, tokens = "", None
        for event in self.ask(prompt, stream=True):
            text += event.delta if event.type == "response.output_text.delta" else ""
            if event.type == "response.completed":
                tokens = (event.response.usage.input_tokens, event.response.usage.output_tokens)
        return text, tokens

    def tools(self, prompt):
        answer = self.ask(prompt, tools=[{"type": "function", "strict": False, **WEATHER}])
        return called(answer.output[0].name, answer.output[0].arguments), (answer.usage.input_tokens, answer.usage.output_tokens)


main({"chat": Chat, "plain": PlainChat, "responses": Responses})
