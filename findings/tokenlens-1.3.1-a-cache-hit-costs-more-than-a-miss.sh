#!/usr/bin/env bash
# A price library charges cached input at the full rate and once more at the cache's, so that a hit costs more than a miss.
#
# Versions: tokenlens 1.3.1 with its bundled catalogue, ai 7.0.173 and @ai-sdk/openai 4.0.118, all from npm, run by
#   Node 24.21.0. A call of gpt-4.1 (2 USD a million in, 0.5 cached, 8 out): 100,000 tokens in, 90,000 of them read
#   from the cache, 1,000 out.
# Expected: 10,000 x 2 + 90,000 x 0.5 + 1,000 x 8 = 0.073 USD. Without the cache 0.208 USD.
# Seen: from OpenAI's own usage, and from the AI SDK's form before release 7 (cachedInputTokens), 0.253 USD: all
#   100,000 tokens at 2 and the 90,000 at 0.5 on top. From what ai 7 really returns, 0.208 USD: the cached part has moved
#   to inputTokenDetails, which tokenlens does not read, so the hit costs what the miss costs. Nothing gives 0.073.
#   Each figure is plausible alone; the first is 3.5 times what is billed, and the better the cache works, the more.
# Needs: bash, node 20 or newer with npm.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 tokenlens@1.3.1 ai@7.0.173 @ai-sdk/openai@4.0.118 zod@4.6.7
PATH="$dir/node_modules/.bin:$PATH"

cat >run.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText } from 'ai'
import { getTokenCosts } from 'tokenlens'
const raw = { prompt_tokens: 100000, completion_tokens: 1000, total_tokens: 101000, prompt_tokens_details: { cached_tokens: 90000 } }
const answer = JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-4.1', usage: raw,
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] })
const server = http.createServer((req, res) => req.resume().on('end', () => {
  res.setHeader('content-type', 'application/json')
  res.end(answer)
})).listen(0, '127.0.0.1')
await new Promise((ready) => server.once('listening', ready))
const openai = createOpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: 'k' })
const { usage } = await generateText({ model: openai.chat('gpt-4.1'), prompt: 'x' })
server.close()
server.closeAllConnections()
const cost = (u) => getTokenCosts({ modelId: 'openai:gpt-4.1', usage: u }).totalUSD.toFixed(3)
console.log('no cache            ', cost({ prompt_tokens: 100000, completion_tokens: 1000 }))
console.log('hit, OpenAI usage   ', cost(raw))
console.log('hit, before ai 7    ', cost({ inputTokens: 100000, outputTokens: 1000, cachedInputTokens: 90000 }))
console.log('hit, usage of ai 7  ', cost(usage), 'of', usage.inputTokens, usage.inputTokenDetails.cacheReadTokens, usage.outputTokens)
JS
node run.mjs >seen

cat >expected <<'TXT'
no cache             0.208
hit, OpenAI usage    0.253
hit, before ai 7     0.253
hit, usage of ai 7   0.208 of 100000 90000 1000
TXT
cat seen
diff expected seen && echo "as described"
