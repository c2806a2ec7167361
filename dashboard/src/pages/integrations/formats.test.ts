import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { doubtOf, PREFIXES, trimmed } from './formats.ts';

test('beginnings are those of models.yaml', () => {
  const catalog = readFileSync(join(import.meta.dirname, '../../../../models.yaml'), 'utf8');
  const stanzas = catalog.split(/^ {2}- name: /m).slice(1);
  const found = stanzas.flatMap((stanza) => {
    const prefixes = /^ {4}key_prefixes: \[(.*)\]/m.exec(stanza)?.[1]?.split(', ');
    return prefixes === undefined ? [] : [[stanza.split('\n')[0], prefixes]];
  });
  expect(found.length).toBeGreaterThan(5);
  expect(PREFIXES).toEqual(Object.fromEntries(found));
});

test('a slip is told before it is sent', () => {
  for (const [provider, text, expected] of [
    ['openai', 'sk-proj-abc', null],
    ['openai', '', null],
    ['openai', 'AIzaSyabc', { kind: 'other-provider', other: 'gemini' }],
    ['openai', 'sk-ant-api03-abc', { kind: 'other-provider', other: 'anthropic' }],
    ['anthropic', 'sk-abc', { kind: 'prefix' }],
    ['openai', 'sk-abc def', { kind: 'blank' }],
    ['mistral', 'anything', null],
    ['acme', 'sk-ant-api03-abc', null],
    ['aws', '{"a":1}', null],
    ['aws', 'AKIA', { kind: 'no-object' }],
    ['aws', '[]', { kind: 'no-object' }],
  ] as const) {
    expect([provider, text, doubtOf(provider, text)]).toEqual([provider, text, expected]);
  }
});

test('what surrounds a pasted key is dropped', () => {
  expect(trimmed('\u200B  sk-abc\r\n\uFEFF')).toBe('sk-abc');
});
