#!/usr/bin/env bash
# The usage of a tool loop is shown as known when one of its calls stated none: the unknown call is added as nothing.
#
# Versions: ai 7.0.173 and @ai-sdk/openai 4.0.118 (npm), run by Node 24.21.0; generateText and streamText with one tool,
#   so two calls. Server: the first answer (the tool call) has no usage, the second says 20 in, 5 out.
# Expected: a step without usage is undefined, and so is a sum with it; or the sum says that something is missing. `usage`
#   means the last step and `totalUsage` the sum, as in 6.0.326.
# Seen: the step is undefined, the sum is 20/5/25, in `usage` and in `totalUsage` (since release 7 they are the same).
#   It cannot be told from a loop whose first call cost nothing (usage 0/0/0): the two results are equal. There is no
#   warning. So code that checks `usage.inputTokens === undefined` to find unmetered calls finds none once the loop has
#   a second call, and code written for 6 that adds up `usage` itself counts the first steps once more.
# Needs: bash, node 20 or newer with npm.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 ai@7.0.173 @ai-sdk/openai@4.0.118 zod@4.6.7
PATH="$dir/node_modules/.bin:$PATH"

cat >run.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, isStepCount, streamText, tool } from 'ai'
import { z } from 'zod'
const usage = (input, output) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output })
const toolCall = { index: 0, id: 'c1', type: 'function', function: { name: 'add', arguments: '{"a":1,"b":2}' } }
let first
const server = http.createServer(async (req, res) => {
  let text = ''
  for await (const part of req) text += part
  const body = JSON.parse(text)
  const second = body.messages.some((m) => m.role === 'tool')
  const message = second ? { role: 'assistant', content: 'done' } : { role: 'assistant', content: null, tool_calls: [toolCall] }
  const finish_reason = second ? 'stop' : 'tool_calls'
  const stated = second ? usage(20, 5) : first
  const base = { id: 'c', created: 1, model: 'gpt-4o' }
  if (!body.stream) {
    res.setHeader('content-type', 'application/json')
    return res.end(JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage: stated }))
  }
  res.setHeader('content-type', 'text/event-stream')
  const chunk = (rest) => res.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...rest })}\n\n`)
  chunk({ choices: [{ index: 0, delta: message, finish_reason: null }] })
  chunk({ choices: [{ index: 0, delta: {}, finish_reason }] })
  if (stated) chunk({ choices: [], usage: stated })
  res.end('data: [DONE]\n\n')
}).listen(0, '127.0.0.1')
await new Promise((ready) => server.once('listening', ready))
const model = createOpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: 'k' }).chat('gpt-4o')
const add = tool({ inputSchema: z.object({ a: z.number(), b: z.number() }), execute: async ({ a, b }) => a + b })
const loop = { model, prompt: 'x', tools: { add }, stopWhen: isStepCount(5) }
const show = (u) => `${u.inputTokens}/${u.outputTokens}/${u.totalTokens}`
for (const [name, stated] of [['both known', usage(10, 3)], ['first unknown', undefined], ['first zero', usage(0, 0)]]) {
  first = stated
  const plain = await generateText(loop)
  const stream = streamText(loop)
  await stream.consumeStream()
  for (const [how, result] of [['plain', plain], ['stream', stream]])
    console.log(`${name}, ${how}: steps ${(await result.steps).map((s) => show(s.usage)).join(' ')}`,
      `usage ${show(await result.usage)} totalUsage ${show(await result.totalUsage)}`)
}
server.close()
server.closeAllConnections()
JS
node run.mjs >seen

cat >expected <<'TXT'
both known, plain: steps 10/3/13 20/5/25 usage 30/8/38 totalUsage 30/8/38
both known, stream: steps 10/3/13 20/5/25 usage 30/8/38 totalUsage 30/8/38
first unknown, plain: steps undefined/undefined/undefined 20/5/25 usage 20/5/25 totalUsage 20/5/25
first unknown, stream: steps undefined/undefined/undefined 20/5/25 usage 20/5/25 totalUsage 20/5/25
first zero, plain: steps 0/0/0 20/5/25 usage 20/5/25 totalUsage 20/5/25
first zero, stream: steps 0/0/0 20/5/25 usage 20/5/25 totalUsage 20/5/25
TXT
cat seen
diff expected seen && echo "as described"
