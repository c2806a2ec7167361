import { expect, test } from 'vitest';
import { eventsOf, messageOf, pieceOf } from './events.ts';

async function* cut(text: string, size: number) {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

test('events are whole, wherever the chunks end', async () => {
  const text = ': comment\ndata: {"a":1}\n\nevent: error\r\ndata:{"b":2}\r\n\r\ndata: [DONE]';
  for (let size = 1; size <= text.length; size += 1) {
    const found: string[] = [];
    for await (const event of eventsOf(cut(text, size))) found.push(event);
    expect(found).toEqual(['{"a":1}', '{"b":2}', '[DONE]']);
  }
});

test('an event adds text, or says what went wrong', () => {
  for (const [event, expected] of [
    ['{"choices":[{"delta":{"content":"Hi"}}]}', { kind: 'text', text: 'Hi' }],
    ['{"choices":[{"delta":{"content":""}}]}', { kind: 'other' }],
    ['{"choices":[],"usage":{}}', { kind: 'other' }],
    ['{"error":{"message":"broken","code":"upstream_mid_stream_failure"}}', { kind: 'error', message: 'broken' }],
    ['[DONE]', { kind: 'other' }],
    ['no json', { kind: 'other' }],
    ['null', { kind: 'other' }],
  ] as const) {
    expect(pieceOf(event)).toEqual(expected);
  }
  expect(messageOf({ error: 'plain' })).toBe('plain');
  expect(messageOf({ choices: [] })).toBeNull();
});
