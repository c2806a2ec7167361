"""google-genai: generateContent and embedContent."""

from google import genai
from program import WEATHER, Client, called, main


class Generate(Client):
    def __init__(self, *where):
        super().__init__(*where)
        # Kept: a client that nobody holds closes itself in the middle of a call.
        self.client = genai.Client(api_key=self.key, http_options={"base_url": self.base})

    def chat(self, prompt):
        answer = self.client.models.generate_content(model=self.model, contents=prompt)
        return answer.text, tokens(answer.usage_metadata)

    def stream(self, prompt):
        text, usage = "", None
        for chunk in self.client.models.generate_content_stream(model=self.model, contents=prompt):
            text, usage = text + (chunk.text or ""), chunk.usage_metadata or usage
        return text, usage and tokens(usage)

    def tools(self, prompt):
        declared = {**WEATHER, "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
        answer = self.client.models.generate_content(model=self.model, contents=prompt, config={"tools": [{"function_declarations": [declared]}]})
        return called(answer.function_calls[0].name, answer.function_calls[0].args), tokens(answer.usage_metadata)

    def embed(self, prompt):
        answer = self.client.models.embed_content(model=self.embedding_model, contents=prompt)
        return f"{len(answer.embeddings[0].values)} numbers", None


def tokens(usage):
    return usage.prompt_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0)


main({"generate": Generate})
