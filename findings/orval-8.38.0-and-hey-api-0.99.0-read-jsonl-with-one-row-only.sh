#!/usr/bin/env bash
# Two client generators take a JSON Lines answer for JSON: an export with exactly one row works, others do not.
#
# Versions: orval 8.38.0 (client fetch) and @hey-api/openapi-ts 0.99.0 (its default fetch client), both from npm, bundled
#   with esbuild 0.28.2 and run by Node 24.21.0. One operation, GET /export, whose answer is declared and sent as
#   application/jsonl, then as application/x-ndjson.
# Expected: a media type that the generator does not know comes as text, bytes or a stream; or the generator says that
#   it cannot do it. The two names mean the same thing and are treated alike.
# Seen: application/jsonl is given to JSON.parse as a whole, since its name contains "json" (orval) or begins with
#   "application/json" (hey-api). One row gives that row as an object, of the declared type. Two rows are a SyntaxError,
#   which orval throws and hey-api, by default, returns as `error`, where the problem document of the API is expected.
#   An empty body is {}, a "row" without its required id. application/x-ndjson is the Response itself in orval (a
#   stream to read from) and a Blob in hey-api, with any number of rows.
#   A test with one row is green, and so is the first day with one call a day.
# Needs: bash, node 20 or newer with npm.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 orval@8.38.0 @hey-api/openapi-ts@0.99.0 typescript@6.0.3 esbuild@0.28.2
PATH="$dir/node_modules/.bin:$PATH"

for type in jsonl x-ndjson; do
  cat >"$type.json" <<JSON
{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/export": {"get": {"operationId": "exportCalls",
 "responses": {"200": {"description": "rows", "content": {"application/$type": {"schema": {"\$ref": "#/components/schemas/Row"}}}}}}}},
 "components": {"schemas": {"Row": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}}}}
JSON
  echo "module.exports = { a: { input: './$type.json', output: { target: './orval-$type/api.ts', client: 'fetch', baseUrl: 'http://api' } } }" >orval.config.cjs
  orval --config orval.config.cjs >/dev/null
  openapi-ts -i "$type.json" -o "hey-$type" >/dev/null
done
cat >run.mjs <<'JS'
import http from 'node:http'
import { exportCalls as heyJsonl } from './hey-jsonl/index.ts'
import { createClient as clientJsonl } from './hey-jsonl/client/index.ts'
import { exportCalls as heyNdjson } from './hey-x-ndjson/index.ts'
import { createClient as clientNdjson } from './hey-x-ndjson/client/index.ts'
import { exportCalls as orvalJsonl } from './orval-jsonl/api.ts'
import { exportCalls as orvalNdjson } from './orval-x-ndjson/api.ts'
let type, rows
const server = http.createServer((req, res) => {
  res.setHeader('content-type', `application/${type}`)
  res.end(Array.from({ length: rows }, (_, id) => JSON.stringify({ id }) + '\n').join(''))
}).listen(0, '127.0.0.1')
await new Promise((ready) => server.once('listening', ready))
const baseUrl = `http://127.0.0.1:${server.address().port}`
const plainFetch = globalThis.fetch
globalThis.fetch = (input, init) => plainFetch(typeof input === 'string' ? input.replace('http://api', baseUrl) : input, init)
const show = (value) => (value.constructor === Object ? JSON.stringify(value) : value.constructor.name)
const orval = async (call) => { const r = await call(); return show(r.data ?? r.stream) }
const hey = async (call, client) => { const r = await call({ client }); return r.error ? `error ${show(r.error)}` : show(r.data) }
for (type of ['jsonl', 'x-ndjson'])
  for (rows of [0, 1, 2]) {
    const jsonl = type === 'jsonl'
    const seen = []
    for (const [name, call] of [
      ['orval', () => orval(jsonl ? orvalJsonl : orvalNdjson)],
      ['hey-api', () => hey(jsonl ? heyJsonl : heyNdjson, (jsonl ? clientJsonl : clientNdjson)({ baseUrl }))],
    ]) seen.push(`${name}: ${await call().catch((e) => `throws ${e.constructor.name}`)}`)
    console.log(`${type}, rows ${rows}: ${seen.join('; ')}`)
  }
server.close()
server.closeAllConnections()
JS
esbuild run.mjs --bundle --platform=node --format=esm --outfile=bundle.mjs --log-level=error
node bundle.mjs >seen

cat >expected <<'TXT'
jsonl, rows 0: orval: {}; hey-api: {}
jsonl, rows 1: orval: {"id":0}; hey-api: {"id":0}
jsonl, rows 2: orval: throws SyntaxError; hey-api: error SyntaxError
x-ndjson, rows 0: orval: Response; hey-api: Blob
x-ndjson, rows 1: orval: Response; hey-api: Blob
x-ndjson, rows 2: orval: Response; hey-api: Blob
TXT
cat seen
diff expected seen && echo "as described"
