/** A call once more, as a line for a shell. Keys and bodies are not kept, so neither is in it. */
import type { Call } from '../../api/requests.ts';

/** Endpoints at which the model says which provider serves. */
const BY_MODEL = /^\/v1\/(chat\/completions|completions|embeddings|messages|responses)$/;

/** Writes a call as a command; `VIRTUAL_KEY` is a variable of the shell, `body.json` a file. */
export function writeCurl(call: Pick<Call, 'path' | 'provider' | 'streamed'>, origin: string): string {
  const { path, provider, streamed } = call;
  const isOfProvider = typeof provider === 'string' && !BY_MODEL.test(path);
  const lines = [
    `curl ${quoted(`${origin}${isOfProvider ? `/proxy/${provider}` : ''}${path}`)}`,
    `-H "Authorization: Bearer $VIRTUAL_KEY"`,
    `-H 'Content-Type: application/json'`,
    ...(streamed ? ['--no-buffer'] : []),
    `--data @body.json`,
  ];
  return lines.join(' \\\n  ');
}

/** Quotes for a shell: a path is whatever a caller has sent. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
