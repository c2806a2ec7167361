#!/usr/bin/env bash
# A generated client for a streamed POST sends it again when the stream breaks, and for a 402 as well, without end.
#
# Versions: @hey-api/openapi-ts 0.99.0 (its default fetch client; bundled with esbuild 0.28.2, typescript 6.0.3),
#   run by Node 24.21.0, all from npm. One operation: POST /v1/chat/completions, answer text/event-stream.
# Expected: a POST is sent once. A stream that is cut is an error for the caller, and so is a 402; with
#   throwOnError at the latest it is thrown. Reconnecting is for GET, where the server continues behind Last-Event-ID.
# Seen: the loop that reads the events catches every error, waits 3, 6, 12 s and so on, and sends the POST again, by
#   default without a limit. Nothing is thrown. What the second answer says is appended to what the first one had said:
#       cut after "Hel", then whole:     2 POSTs, the caller reads "HelHello"
#       402 three times, then an answer: 4 POSTs, waits 3000, 6000 and 12000 ms; code and text of the 402 reach nobody
#       402, sseMaxRetryAttempts 2:      2 POSTs (the limit counts attempts), then an EMPTY stream that ends quietly,
#                                        throwOnError: true makes no difference
#   onSseError is told of each failure ("terminated", "SSE failed: 402 Payment Required"), not of its body.
#   When a chunk ends between the CR and the LF of a line end, a blank line is seen there: "event: tick" and its data,
#   one event, come as two, the first without data and the second without its name.
#   Waits are recorded (sseSleepFn), not waited for.
# Needs: bash, node 20 or newer with npm.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 @hey-api/openapi-ts@0.99.0 typescript@6.0.3 esbuild@0.28.2
PATH="$dir/node_modules/.bin:$PATH"

cat >openapi.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/v1/chat/completions": {"post": {
 "operationId": "chat",
 "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
 "responses": {"200": {"description": "events", "content": {"text/event-stream": {"schema": {
   "type": "object", "properties": {"text": {"type": "string"}}}}}}}}}}}
JSON
openapi-ts -i openapi.json -o client >/dev/null

cat >run.mjs <<'JS'
import http from 'node:http'
import { createClient } from './client/client/index.ts'
import { chat } from './client/index.ts'
let posts, mode
const server = http.createServer((req, res) => req.resume().on('end', () => {
  posts++
  if (mode === '402' && posts < 4) {
    res.writeHead(402, { 'content-type': 'application/json' })
    return res.end('{"error":{"message":"budget used up","code":"budget_exceeded"}}')
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  if (mode === 'crlf') {
    res.write('event: tick\r')
    return setTimeout(() => res.end('\ndata: {"text":"x"}\r\n\r\n'), 100)
  }
  res.write('data: {"text":"Hel"}\n\n')
  if (mode === 'cut' && posts === 1) return setTimeout(() => res.destroy(), 100)
  res.end('data: {"text":"lo"}\n\n')
})).listen(0, '127.0.0.1')
await new Promise((ready) => server.once('listening', ready))
const client = createClient({ baseUrl: `http://127.0.0.1:${server.address().port}` })
async function call(name, options) {
  mode = name
  posts = 0
  let text = '', thrown = 'nothing'
  const waits = [], errors = new Set(), events = []
  try {
    const { stream } = await chat({
      client, body: {}, sseSleepFn: async (ms) => { waits.push(ms) }, onSseError: (e) => errors.add(e.message),
      onSseEvent: (e) => events.push(`${e.event ?? '-'}/${e.data ? 'data' : '-'}`), ...options,
    })
    for await (const event of stream) text += event.text
  } catch (e) { thrown = e.message }
  console.log([name, JSON.stringify(options), `${posts} POSTs`, JSON.stringify(text), `waits ${waits}`,
    `thrown ${thrown}`, `told ${[...errors]}`, name === 'crlf' ? events.join(' ') : ''].join(' | ').replace(/ \| $/, ''))
}
await call('cut', {})
await call('402', {})
await call('402', { sseMaxRetryAttempts: 2, throwOnError: true })
await call('crlf', {})
server.close()
server.closeAllConnections()
JS
esbuild run.mjs --bundle --platform=node --format=esm --outfile=bundle.mjs --log-level=error
node bundle.mjs >seen

cat >expected <<'TXT'
cut | {} | 2 POSTs | "HelHello" | waits 3000 | thrown nothing | told terminated
402 | {} | 4 POSTs | "Hello" | waits 3000,6000,12000 | thrown nothing | told SSE failed: 402 Payment Required
402 | {"sseMaxRetryAttempts":2,"throwOnError":true} | 2 POSTs | "" | waits 3000 | thrown nothing | told SSE failed: 402 Payment Required
crlf | {} | 1 POSTs | "x" | waits  | thrown nothing | told  | tick/- -/data
TXT
cat seen
diff expected seen && echo "as described"
