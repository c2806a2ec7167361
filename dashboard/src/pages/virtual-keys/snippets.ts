/** How real clients are pointed at Keyway: one table, whose base URLs are those that docs/clients.md has run. */
import type { MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';

type Group = 'any' | 'python' | 'javascript' | 'tools';

/** Where a client is pointed. */
export interface Target {
  /** Address of Keyway, without a slash at its end. */
  root: string;
  key: string;
}

export interface Snippet {
  id: string;
  name: string;
  group: Group;
  /** Path of its base URL behind Keyway's address. */
  path: string;
  text: (at: Target) => string;
  /** Command that installs it. */
  install?: string;
  /** Where it belongs, and what else is to be done. */
  place?: MessageDescriptor;
}

export const GROUPS: { id: Group; label: MessageDescriptor }[] = [
  { id: 'any', label: msg`Any language` },
  { id: 'python', label: msg`Python` },
  { id: 'javascript', label: msg`JavaScript` },
  { id: 'tools', label: msg`Programs` },
];

const GPT = 'gpt-5.4-mini';
const CLAUDE = 'claude-sonnet-5-5';
const GEMINI = 'gemini-3.8-flash';

export const SNIPPETS: Snippet[] = [
  {
    id: 'curl',
    name: 'curl',
    group: 'any',
    path: '/v1',
    text: ({ root, key }) => `curl ${root}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${GPT}", "messages": [{"role": "user", "content": "Hello"}]}'`,
  },
  {
    id: 'openai-python',
    name: 'OpenAI (Python)',
    group: 'python',
    path: '/v1',
    install: 'pip install openai',
    text: ({ root, key }) => `from openai import OpenAI

client = OpenAI(base_url="${root}/v1", api_key="${key}")
answer = client.chat.completions.create(
    model="${GPT}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  },
  {
    id: 'anthropic-python',
    name: 'Anthropic (Python)',
    group: 'python',
    path: '',
    install: 'pip install anthropic',
    text: ({ root, key }) => `from anthropic import Anthropic

client = Anthropic(base_url="${root}", api_key="${key}")
answer = client.messages.create(
    model="${CLAUDE}",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`,
  },
  {
    id: 'google-python',
    name: 'Google Gen AI (Python)',
    group: 'python',
    path: '/proxy/gemini',
    install: 'pip install google-genai',
    text: ({ root, key }) => `from google import genai

client = genai.Client(api_key="${key}", http_options={"base_url": "${root}/proxy/gemini"})
answer = client.models.generate_content(model="${GEMINI}", contents="Hello")
print(answer.text)`,
  },
  {
    id: 'langchain-python',
    name: 'LangChain (Python)',
    group: 'python',
    path: '/v1',
    install: 'pip install langchain-openai',
    text: ({ root, key }) => `from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="${GPT}", base_url="${root}/v1", api_key="${key}")
print(model.invoke("Hello").content)`,
  },
  {
    id: 'openai-javascript',
    name: 'OpenAI (JavaScript)',
    group: 'javascript',
    path: '/v1',
    install: 'npm install openai',
    text: ({ root, key }) => `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${root}/v1", apiKey: "${key}" });
const answer = await client.chat.completions.create({
  model: "${GPT}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: 'anthropic-javascript',
    name: 'Anthropic (JavaScript)',
    group: 'javascript',
    path: '',
    install: 'npm install @anthropic-ai/sdk',
    text: ({ root, key }) => `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "${root}", apiKey: "${key}" });
const answer = await client.messages.create({
  model: "${CLAUDE}",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.content[0].text);`,
  },
  {
    id: 'google-javascript',
    name: 'Google Gen AI (JavaScript)',
    group: 'javascript',
    path: '/proxy/gemini',
    install: 'npm install @google/genai',
    text: ({ root, key }) => `import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({ apiKey: "${key}", httpOptions: { baseUrl: "${root}/proxy/gemini" } });
const answer = await client.models.generateContent({ model: "${GEMINI}", contents: "Hello" });
console.log(answer.text);`,
  },
  {
    id: 'langchain-javascript',
    name: 'LangChain (JavaScript)',
    group: 'javascript',
    path: '/v1',
    install: 'npm install @langchain/openai',
    text: ({ root, key }) => `import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({
  model: "${GPT}",
  apiKey: "${key}",
  configuration: { baseURL: "${root}/v1" },
  maxRetries: 2,
});
console.log((await model.invoke("Hello")).text);`,
  },
  {
    id: 'ai-sdk',
    name: 'Vercel AI SDK',
    group: 'javascript',
    path: '/v1',
    install: 'npm install ai @ai-sdk/openai',
    text: ({ root, key }) => `import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const keyway = createOpenAI({ baseURL: "${root}/v1", apiKey: "${key}" });
const { text } = await generateText({ model: keyway("${GPT}"), prompt: "Hello" });
console.log(text);`,
  },
  {
    id: 'claude-code',
    name: 'Claude Code',
    group: 'tools',
    path: '',
    text: ({ root, key }) => `export ANTHROPIC_BASE_URL="${root}"
export ANTHROPIC_API_KEY="${key}"
claude`,
    place: msg`Set both in the shell in which it is started.`,
  },
  {
    id: 'codex',
    name: 'Codex',
    group: 'tools',
    path: '/v1',
    text: ({ root, key }) => `# ~/.codex/config.toml
model = "${GPT}"
model_provider = "keyway"

[model_providers.keyway]
name = "Keyway"
base_url = "${root}/v1"
env_key = "KEYWAY_KEY"
wire_api = "responses"

# in the shell:
# export KEYWAY_KEY="${key}"`,
    place: msg`The key stands in an environment variable, not in the file.`,
  },
  {
    id: 'cursor',
    name: 'Cursor',
    group: 'tools',
    path: '/v1',
    text: ({ root, key }) => `OpenAI API Key:            ${key}
Override OpenAI Base URL:  ${root}/v1`,
    place: msg`In Cursor's settings, under Models. Cursor calls from its own servers, so this address has to be reachable from the internet.`,
  },
  {
    id: 'open-webui',
    name: 'Open WebUI',
    group: 'tools',
    path: '/v1',
    text: ({ root, key }) => `docker run -d -p 3000:8080 \\
  -e OPENAI_API_BASE_URL="${root}/v1" \\
  -e OPENAI_API_KEY="${key}" \\
  -v open-webui:/app/backend/data \\
  ghcr.io/open-webui/open-webui:main`,
    place: msg`Or in its admin settings, under Connections. From inside a container, localhost is the container itself.`,
  },
];
