/**
 * Shared by all tabs, so that they hold one of the six connections that HTTP/1.1 allows to an origin, and not one each.
 */
import { openStream } from './stream.ts';

export interface Join {
  /** Who listens; another person's stream is not joined. */
  user: string;
  tenant: string | null;
}

interface Stream {
  ports: Set<MessagePort>;
  close: () => void;
}

const streams = new Map<string, Stream>();

function leave(port: MessagePort) {
  for (const [name, stream] of streams) {
    if (!stream.ports.delete(port) || stream.ports.size > 0) continue;
    stream.close();
    streams.delete(name);
  }
}

function join(port: MessagePort, { user, tenant }: Join) {
  leave(port);
  const name = `${user} ${tenant}`;
  const known = streams.get(name);
  if (known !== undefined) {
    known.ports.add(port);
    return;
  }
  const ports = new Set([port]);
  const close = openStream(tenant, (told) => {
    // A port has no origin to name.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    for (const one of ports) one.postMessage(told);
  });
  streams.set(name, { ports, close });
}

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0]!;
  // Chromium tells of a closed tab so; pages say it themselves for the others.
  port.addEventListener('close', () => leave(port));
  port.addEventListener('message', ({ data }: MessageEvent<Join | null>) => {
    if (data === null) leave(port);
    else join(port, data);
  });
  port.start();
});
