/**
 * The server's stream of events, which comes back after everything. It is read with `fetch`: an EventSource could
 * name neither the tenant nor, after a refusal, the place where it was.
 */
import { reader, type Told } from './events.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** The server writes at least a comment more often than this, or the connection is dead. */
const SILENCE_MS = 60_000;

/** Opens the stream of a tenant; returns what closes it. */
export function openStream(tenant: string | null, tell: (told: Told) => void): () => void {
  const closed = new AbortController();
  void run(tenant, tell, closed.signal);
  return () => closed.abort();
}

async function run(tenant: string | null, tell: (told: Told) => void, closed: AbortSignal) {
  let place = '';
  let waitMs = FIRST_MS;
  const note = (told: Told) => {
    place = told.place;
    waitMs = FIRST_MS;
    tell(told);
  };
  while (!closed.aborted) {
    // Each try begins after the one before it.
    // oxlint-disable-next-line no-await-in-loop
    await listen(tenant, place, note, closed).catch(() => undefined);
    // Not all pages come back in the same moment.
    // oxlint-disable-next-line no-await-in-loop
    await pause(waitMs * (0.5 + Math.random()), closed);
    waitMs = Math.min(waitMs * 2, LONGEST_MS);
  }
}

/** Tells of everything until the stream ends, is refused, or says nothing for too long. */
async function listen(tenant: string | null, place: string, tell: (told: Told) => void, closed: AbortSignal) {
  const dead = new AbortController();
  let timer = setTimeout(() => dead.abort(), SILENCE_MS);
  const headers = {
    accept: 'text/event-stream',
    ...(tenant === null ? {} : { 'keyway-tenant': tenant }),
    ...(place === '' ? {} : { 'last-event-id': place }),
  };
  try {
    const signal = AbortSignal.any([closed, dead.signal]);
    const answer = await fetch('/api/v1/events', { headers, cache: 'no-store', credentials: 'same-origin', signal });
    if (!answer.ok || answer.body === null) return;
    const read = reader();
    const decoder = new TextDecoder();
    const body = answer.body.getReader();
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const { done, value } = await body.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), SILENCE_MS);
      for (const told of read(decoder.decode(value, { stream: true }))) tell(told);
    }
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    closed.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
