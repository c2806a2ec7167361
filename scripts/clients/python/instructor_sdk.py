"""instructor: a typed answer, made from a tool call of a chat completion."""

import instructor
import openai
from program import Client, main
from pydantic import BaseModel


class weather(BaseModel):
    """The weather of a city. (Its name is that of the tool.)"""

    city: str


class Typed(Client):
    def ask(self, prompt, **more):
        client = instructor.from_openai(openai.OpenAI(base_url=self.base, api_key=self.key), mode=instructor.Mode.TOOLS)
        asked = {"model": self.model, "response_model": weather, "messages": [{"role": "user", "content": prompt}], **more}
        return client.chat.completions.create_with_completion(**asked)

    def tools(self, prompt):
        answer, raw = self.ask(prompt)
        return f"weather {answer.city}", (raw.usage.prompt_tokens, raw.usage.completion_tokens)

    def chat(self, prompt):
        answer, raw = self.ask(prompt, max_retries=0)
        return answer.city, (raw.usage.prompt_tokens, raw.usage.completion_tokens)


main({"typed": Typed})
