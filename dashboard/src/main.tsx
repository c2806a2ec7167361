import { i18n } from '@lingui/core';
import { I18nProvider } from '@lingui/react';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { onReturn } from './api/away.ts';
import { queryClient, router } from './routes.tsx';
import './styles.css';
import { activate } from './words/index.ts';

const RELOAD_AGAIN_MS = 30_000;

// After an upgrade the files of the page that is open are gone: it loads the new one, once.
addEventListener('vite:preloadError', (event) => {
  const last = Number(sessionStorage.getItem('reloaded_at') ?? 0);
  if (Date.now() - last < RELOAD_AGAIN_MS) return;
  event.preventDefault();
  sessionStorage.setItem('reloaded_at', String(Date.now()));
  location.reload();
});

onReturn(() => void queryClient.invalidateQueries());

const root = document.querySelector('#root');
if (root === null) throw new Error('index.html has no root');
await activate(document.documentElement.lang === 'es' ? 'es' : 'en');
createRoot(root).render(
  <StrictMode>
    <I18nProvider i18n={i18n}>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </I18nProvider>
  </StrictMode>,
);
