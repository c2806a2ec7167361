import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GROUPS, SNIPPETS } from './snippets.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const AT = { root: 'https://keyway.example.org', key: 'kw_live_canary' };

/** Rows of docs/clients.md by client, each with the path of its base URL. */
function run(): Map<string, string> {
  const text = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
  const rows = text.matchAll(/^\| ([^|]+) \| [\d.]+ \| (?:`([^`]+)`|\(nothing\)) \|/gm);
  return new Map([...rows].map(([, client, path]) => [client!, path ?? '']));
}

test('base URLs are those that real clients were run with', () => {
  const known = run();
  for (const [id, client] of [
    ['openai-python', 'openai'],
    ['anthropic-python', 'anthropic'],
    ['google-python', 'google-genai'],
    ['langchain-python', 'langchain-openai'],
    ['openai-javascript', 'openai (npm)'],
    ['anthropic-javascript', '@anthropic-ai/sdk'],
    ['google-javascript', '@google/genai'],
    ['langchain-javascript', '@langchain/openai'],
    ['ai-sdk', '@ai-sdk/openai'],
    ['claude-code', 'Claude Code'],
    ['codex', 'Codex'],
  ] as const) {
    expect({ id, path: SNIPPETS.find((snippet) => snippet.id === id)?.path }).toEqual({ id, path: known.get(client) });
  }
});

test('each snippet has the address with its path, the key, and a group', () => {
  for (const { id, group, path, text } of SNIPPETS) {
    const written = text(AT);
    const addresses = [...written.matchAll(/https:\/\/[^\s"]+/g)].map(([address]) => address);
    // curl names an endpoint, all others a base URL.
    expect({ id, addresses }).toEqual({ id, addresses: [AT.root + path + (id === 'curl' ? '/chat/completions' : '')] });
    expect(written).toContain(AT.key);
    expect(GROUPS.map((one) => one.id)).toContain(group);
  }
  expect(new Set(SNIPPETS.map(({ id }) => id)).size).toBe(SNIPPETS.length);
});

test('models are in the catalog', () => {
  const catalog = readFileSync(join(ROOT, 'models.yaml'), 'utf8');
  for (const { id, text } of SNIPPETS) {
    for (const [model] of text(AT).matchAll(/\b(?:gpt|claude|gemini)-\d?[\w.-]*\d[\w.-]*/g)) {
      expect({ id, isKnown: catalog.includes(`- name: ${model}\n`) }).toEqual({ id, isKnown: true });
    }
  }
});
