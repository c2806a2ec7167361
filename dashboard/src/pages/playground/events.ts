/** Server-sent events of a completion in OpenAI's shape. */

/** Reads the `data` of each event. A chunk may end anywhere, also within a line. */
export async function* eventsOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    rest += chunk;
    // The last line is not whole yet; of `\r\n` the first half may be.
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trimStart();
  }
  if (rest.startsWith('data:')) yield rest.slice(5).trim();
}

export type Piece = { kind: 'text'; text: string } | { kind: 'error'; message: string } | { kind: 'other' };

/** Returns what an event adds to the answer. */
export function pieceOf(event: string): Piece {
  if (event === '[DONE]') return { kind: 'other' };
  let body: unknown;
  try {
    body = JSON.parse(event);
  } catch {
    return { kind: 'other' };
  }
  const message = messageOf(body);
  if (message !== null) return { kind: 'error', message };
  const text = at(body, 'choices', 0, 'delta', 'content');
  return typeof text === 'string' && text !== '' ? { kind: 'text', text } : { kind: 'other' };
}

/** Returns what an error says; null: it is none. */
export function messageOf(body: unknown): string | null {
  const error = at(body, 'error');
  if (typeof error === 'string') return error;
  const message = at(error, 'message');
  return typeof message === 'string' ? message : null;
}

function at(value: unknown, ...path: (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}
