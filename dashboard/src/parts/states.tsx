import { Trans, useLingui } from '@lingui/react/macro';
import { CircleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';
import { sentence } from '../words/errors.ts';
import { Button } from './button.tsx';

/** Nothing to show yet: says why, and offers the first step. */
export function Empty({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 px-4 py-16 text-center">
      <p className="text-large font-medium">{title}</p>
      {children !== undefined && <div className="flex max-w-96 flex-col items-center gap-4 text-soft">{children}</div>}
    </div>
  );
}

/** Grey rows in the place of those that are on their way. */
export function Loading({ rows = 6 }: { rows?: number }) {
  const { t } = useLingui();
  return (
    <div role="status" aria-label={t`Loading`} className="flex flex-col gap-px">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="h-10 animate-[pulse_1.6s_ease-in-out_infinite] border-b border-line bg-sunken/60" />
      ))}
    </div>
  );
}

/** Said of a list whose filter leaves nothing, with the way back to all of it. */
export function NothingFits({ onShowAll }: { onShowAll: () => void }) {
  const { t } = useLingui();
  return (
    <Empty title={t`Nothing fits this filter`}>
      <Button onClick={onShowAll}>
        <Trans>Show all</Trans>
      </Button>
    </Empty>
  );
}

/** Reason why something was not done, with the id to look for in the logs; nothing without an error. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { i18n } = useLingui();
  if (error === null || error === undefined) return null;
  return (
    <div role="alert" className="flex items-start gap-2 rounded-base bg-bad-soft px-3 py-2 text-bad">
      <CircleAlert size={15} aria-hidden className="mt-0.5 shrink-0" />
      <div className="min-w-0 grow break-words">
        <p>{sentence(i18n, error)}</p>
        {error instanceof ApiError && error.requestId !== null && error.status >= 500 && (
          <p className="font-mono text-tiny">{error.requestId}</p>
        )}
      </div>
      {onRetry !== undefined && (
        <Button className="-my-1" onClick={onRetry}>
          <Trans>Try again</Trans>
        </Button>
      )}
    </div>
  );
}
