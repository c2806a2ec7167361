import { expect, test } from 'vitest';
import { writeMoney } from './money.tsx';

test('money is exact, and small sums are not nothing', () => {
  for (const [nanoUsd, expected] of [
    ['9007199254740993000000000', '$9,007,199,254,740,993.00'],
    ['-1500000000', '-$1.50'],
    ['0', '$0.00'],
    ['1234000', '$0.001234'],
    [250_000_000, '$0.25'],
  ] as const) {
    expect(writeMoney(nanoUsd, 'en')).toBe(expected);
  }
  expect(writeMoney('1234567890000', 'es').replaceAll(/\s/g, ' ')).toBe('1234,57 US$');
});
