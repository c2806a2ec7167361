import { expect, test } from 'vitest';
import { writeCsv } from './csv.ts';

test('cells are quoted where they have to be, and none is a formula', () => {
  for (const [cell, expected] of [
    ['gpt-4o', 'gpt-4o'],
    ['a,b', '"a,b"'],
    ['says "yes"', '"says ""yes"""'],
    ['two\nlines', '"two\nlines"'],
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ['@sum', "'@sum"],
    [-12, '-12'],
    [9007199254740993n, '9007199254740993'],
    [null, ''],
  ] as const) {
    expect(writeCsv([[cell, 1]])).toBe(`${expected},1\r\n`);
  }
});
