import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { lingui } from '@lingui/vite-plugin';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Largest sizes in bytes, compressed with gzip: what the first page needs, and what a page with charts loads beside it. */
const BUDGETS_BYTES = { initial: 170_000, chart: 220_000 };

/** Fails the build that is over its budget. The chunk of the charts is called `chart`. */
function budget(): Plugin {
  return {
    name: 'budget',
    apply: 'build',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
      const seen = new Set<string>();
      const size = (file: string): number => {
        const chunk = bundle[file];
        if (chunk?.type !== 'chunk' || seen.has(file)) return 0;
        seen.add(file);
        const own = gzipSync(chunk.code, { level: 9 }).length;
        return chunk.imports.reduce((sum, next) => sum + size(next), own);
      };
      const initial = chunks.filter((chunk) => chunk.isEntry).reduce((sum, chunk) => sum + size(chunk.fileName), 0);
      const chart = chunks
        .filter((chunk) => chunk.name === 'chart')
        .reduce((sum, chunk) => sum + size(chunk.fileName), 0);
      for (const [name, bytes] of Object.entries({ initial, chart })) {
        const most = BUDGETS_BYTES[name as keyof typeof BUDGETS_BYTES];
        this.info(`${name}: ${bytes} of ${most} bytes (gzip)`);
        if (bytes > most) this.error(`${name}: ${bytes} bytes (gzip) are more than the ${most} that are allowed`);
      }
    },
  };
}

/** Puts a `.br` beside each file, so that the server compresses nothing. */
function brotli(): Plugin {
  return {
    name: 'brotli',
    apply: 'build',
    // After the files of public/ are there.
    closeBundle() {
      const dist = join(import.meta.dirname, 'dist');
      for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        writeFileSync(join(dist, `${name}.br`), brotliCompressSync(readFileSync(join(dist, name))));
      }
    },
  };
}

export default defineConfig({
  plugins: [
    react(),
    // A missing translation fails the build.
    lingui({ macroTransform: true, failOnMissing: true, failOnCompileError: true }),
    tailwindcss(),
    budget(),
    brotli(),
  ],
  // The original puts a <style> into the page, which the Content-Security-Policy blocks.
  resolve: { alias: { 'react-style-singleton': join(import.meta.dirname, 'src/parts/style-singleton.ts') } },
  build: {
    target: 'baseline-widely-available',
    // A data: URL would need `data:` in the Content-Security-Policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': 'http://localhost:8080' } },
  // A test of components begins with `// @vitest-environment jsdom`.
  test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}'] },
});
