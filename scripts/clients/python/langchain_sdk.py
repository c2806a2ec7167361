"""langchain-openai (chat completions, Responses, embeddings), langchain-anthropic, langchain-google-genai."""

from program import Client, called, main, weather


class Model(Client):
    def chat(self, prompt):
        answer = self.model_object().invoke(prompt)
        return answer.text, tokens(answer.usage_metadata)

    def stream(self, prompt):
        whole = None
        for chunk in self.model_object().stream(prompt):
            whole = chunk if whole is None else whole + chunk
        return whole.text, whole.usage_metadata and tokens(whole.usage_metadata)

    def tools(self, prompt):
        answer = self.model_object().bind_tools([weather]).invoke(prompt)
        return called(answer.tool_calls[0]["name"], answer.tool_calls[0]["args"]), tokens(answer.usage_metadata)


class OpenAi(Model):
    more = {}

    def model_object(self):
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=self.model, base_url=self.base, api_key=self.key, **self.more)

    def embed(self, prompt):
        from langchain_openai import OpenAIEmbeddings

        # Otherwise the text is sent as numbers, by a table that has to be fetched first.
        made = OpenAIEmbeddings(model=self.embedding_model, base_url=self.base, api_key=self.key, check_embedding_ctx_length=False)
        return f"{len(made.embed_query(prompt))} numbers", None


class Responses(OpenAi):
    more = {"use_responses_api": True}


class Anthropic(Model):
    def model_object(self):
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=self.model, base_url=self.base, api_key=self.key)


class Google(Model):
    def model_object(self):
        from langchain_google_genai import ChatGoogleGenerativeAI

        return ChatGoogleGenerativeAI(model=self.model, base_url=self.base, google_api_key=self.key, max_retries=2)

    def embed(self, prompt):
        from langchain_google_genai import GoogleGenerativeAIEmbeddings

        made = GoogleGenerativeAIEmbeddings(model=self.embedding_model, base_url=self.base, google_api_key=self.key)
        return f"{len(made.embed_query(prompt))} numbers", None


def tokens(usage):
    return usage["input_tokens"], usage["output_tokens"]


main({"openai": OpenAi, "responses": Responses, "anthropic": Anthropic, "google": Google})
