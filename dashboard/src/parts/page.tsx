import type { ReactNode } from 'react';

interface Props {
  title: ReactNode;
  note?: ReactNode;
  /** Buttons of the whole page. */
  actions?: ReactNode;
  children: ReactNode;
}

/** Page with its heading. There is one heading of the first level, and it comes first. */
export function Page({ title, note, actions, children }: Props) {
  return (
    <div className="mx-auto flex w-full max-w-[78rem] flex-col gap-4 px-4 py-5 md:px-7 md:py-6">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-0 grow">
          <h1 className="text-title font-semibold tracking-tight">{title}</h1>
          {note !== undefined && <p className="mt-0.5 text-soft">{note}</p>}
        </div>
        {actions !== undefined && <div className="flex gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
