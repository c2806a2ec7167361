import { expect, test } from 'vitest';
import { writeCurl } from './curl.ts';

test('a call is written for a shell, with nothing in it that the shell would run', () => {
  for (const [path, provider, streamed, expected] of [
    ['/v1/chat/completions', 'openai', false, "curl 'http://k/v1/chat/completions'"],
    ['/v1/files', 'openai', false, "curl 'http://k/proxy/openai/v1/files'"],
    ['/openai/v1/chat/completions', 'groq', true, "curl 'http://k/proxy/groq/openai/v1/chat/completions'"],
    ['/v1/models/x', null, false, "curl 'http://k/v1/models/x'"],
    ["/v1/$(id)/'; rm -rf .", null, false, String.raw`curl 'http://k/v1/$(id)/'\''; rm -rf .'`],
  ] as const) {
    const written = writeCurl({ path, provider, streamed }, 'http://k').split(' \\\n  ');
    expect(written[0]).toBe(expected);
    expect(written.includes('--no-buffer')).toBe(streamed);
    expect(written).toContain('-H "Authorization: Bearer $VIRTUAL_KEY"');
  }
});
