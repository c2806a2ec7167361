/** Fails when a catalogue lacks a message of the source, or has one that nobody says any more. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const files = ['en', 'es'].map((locale) => join(root, `src/words/catalogues/${locale}.po`));
const before = files.map((file) => readFileSync(file, 'utf8'));
execFileSync('npx', ['lingui', 'extract', '--clean'], { cwd: root, stdio: 'ignore' });
const stale = files.filter((file, index) => readFileSync(file, 'utf8') !== before[index]);
for (const [index, file] of files.entries()) writeFileSync(file, before[index]!);
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; \`npm run words\` brings in what is new, then translate it`);
  process.exit(1);
}
