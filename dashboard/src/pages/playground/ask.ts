/** A prompt through the proxy, as an application sends it: with a virtual key, without the session. */
import { eventsOf, messageOf, pieceOf } from './events.ts';

export interface Prompt {
  key: string;
  model: string;
  text: string;
}

/** What the head of an answer says. */
export interface Head {
  status: number;
  requestId: string | null;
  /** Attempts, when it was more than one. */
  attempts: string | null;
}

interface Callbacks {
  onHead: (head: Head) => void;
  onText: (text: string) => void;
}

/** Sends a prompt and reads the answer as it comes. Returns the reason why there is none, or only a part; null: whole. */
export async function ask({ key, model, text }: Prompt, on: Callbacks, signal: AbortSignal): Promise<string | null> {
  const response = await fetch('/v1/chat/completions', {
    method: 'POST',
    credentials: 'omit',
    cache: 'no-store',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: text }] }),
    signal,
  });
  const { headers, status } = response;
  on.onHead({ status, requestId: headers.get('x-keyway-request-id'), attempts: headers.get('x-keyway-attempts') });
  if (!response.ok || response.body === null) {
    const body: unknown = await response.json().catch(() => null);
    return messageOf(body) ?? `HTTP ${status}`;
  }
  for await (const event of eventsOf(textOf(response.body))) {
    const piece = pieceOf(event);
    if (piece.kind === 'error') return piece.message;
    if (piece.kind === 'text') on.onText(piece.text);
  }
  return null;
}

async function* textOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    yield decoder.decode(value, { stream: true });
  }
}

/** Returns the names of the models that a virtual key may call; none if it cannot be told. */
export async function modelsOf(key: string): Promise<string[]> {
  const response = await fetch('/v1/models', { credentials: 'omit', headers: { authorization: `Bearer ${key}` } });
  const body = response.ok ? ((await response.json()) as { data?: { id: string }[] }) : {};
  return (body.data ?? []).map(({ id }) => id);
}
