import { expect, test } from 'vitest';
import { byResource, reading } from './permissions.ts';

const OWN = ['integrations.read', 'integrations.create', 'audit.read', 'audit.export', 'usage.update'];

test('permissions are grouped by resource, in their order', () => {
  expect(byResource(OWN)).toEqual([
    { name: 'integrations', permissions: ['integrations.read', 'integrations.create'] },
    { name: 'audit', permissions: ['audit.read', 'audit.export'] },
    { name: 'usage', permissions: ['usage.update'] },
  ]);
});

test('what takes data out does not count as reading', () => {
  expect(reading(OWN)).toEqual(['integrations.read', 'audit.read']);
});
