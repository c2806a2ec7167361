"""llama-index-llms-openai."""

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from program import Client, called, main, weather


class Chat(Client):
    def llm(self):
        return OpenAI(model=self.model, api_base=self.base, api_key=self.key)

    def chat(self, prompt):
        answer = self.llm().chat([ChatMessage(role="user", content=prompt)])
        return answer.message.content, tokens(answer)

    def stream(self, prompt):
        *_, last = self.llm().stream_chat([ChatMessage(role="user", content=prompt)])
        return last.message.content, None

    def tools(self, prompt):
        llm = self.llm()
        answer = llm.chat_with_tools([FunctionTool.from_defaults(weather)], user_msg=prompt)
        call = llm.get_tool_calls_from_response(answer)[0]
        return called(call.tool_name, call.tool_kwargs), tokens(answer)


def tokens(answer):
    return answer.raw.usage.prompt_tokens, answer.raw.usage.completion_tokens


main({"chat": Chat})
