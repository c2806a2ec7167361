import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Reads the entries of a catalogue: message by message. */
function entries(locale: string): Map<string, string> {
  const text = readFileSync(join(import.meta.dirname, `catalogues/${locale}.po`), 'utf8').replaceAll('"\n"', '');
  const found = text.matchAll(/^msgid "(.+)"\nmsgstr "(.*)"$/gm);
  return new Map([...found].map(([, id, message]) => [id!, message!]));
}

/** Places that a value is put into: a translation has the same. */
function places(message: string): string[] {
  return [...message.matchAll(/\{(\w+)|<(\d+)/g)].map(([, value, tag]) => value ?? tag!).toSorted();
}

const [english, spanish] = [entries('en'), entries('es')];

test('both languages say everything', () => {
  expect(english.size).toBeGreaterThan(80);
  expect([...spanish.keys()].toSorted()).toEqual([...english.keys()].toSorted());
  expect([...spanish].filter(([, message]) => message === '')).toEqual([]);
});

test('a translation has the places of its message', () => {
  for (const [id, message] of spanish) {
    expect({ id, places: new Set(places(message)) }).toEqual({ id, places: new Set(places(english.get(id)!)) });
  }
});

test('the words that the product is known by in Spanish', () => {
  for (const [id, expected] of [
    ['New integration', 'Nueva Integración'],
    ['Save and verify', 'Guardar y Verificar'],
    ['Test connection', 'Probar Conexión'],
    ['Connected', 'Conectado'],
    ['Verifying', 'Verificando'],
    ['Error', 'Error'],
    ['Disabled', 'Deshabilitado'],
  ] as const) {
    expect(spanish.get(id)).toBe(expected);
  }
});
