import { expect, test } from 'vitest';
import { reader } from './events.ts';

const STREAM =
  'event:ready\ndata:{}\nid:7-2\n\n:\n\nevent: status\r\ndata: {"kind":"status","id":null,"version":3}\r\nid: 7-3\r\n\r\n' +
  'event:later\ndata:{}\nid:7-4\n\nevent:reset\ndata:{}\nid:8-0\n\nevent:aud';
const EVENTS = [
  { kind: 'ready', place: '7-2' },
  { kind: 'status', place: '7-3' },
  { kind: 'reset', place: '8-0' },
];

test('events are read wherever the stream is cut', () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const read = reader();
    expect([...read(STREAM.slice(0, cut)), ...read(STREAM.slice(cut))]).toEqual(EVENTS);
  }
});

test('an event that has not ended is not told', () => {
  const read = reader();
  expect(read('event:status\ndata:{}\nid:1-1\n')).toEqual([]);
  expect(read('\n')).toEqual([{ kind: 'status', place: '1-1' }]);
});
