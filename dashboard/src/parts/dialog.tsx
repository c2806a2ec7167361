import { useLingui } from '@lingui/react/macro';
import { X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import type { ReactNode } from 'react';

interface Props {
  isOpen: boolean;
  title: ReactNode;
  description?: ReactNode;
  onClose: () => void;
  /** Keeps it open when one clicks beside it: for dialogs with something typed. */
  isKept?: boolean;
  /** For tables and code. */
  isWide?: boolean;
  children: ReactNode;
}

export function Dialog({ isOpen, title, description, onClose, isKept = false, isWide = false, children }: Props) {
  const { t } = useLingui();
  return (
    <Radix.Root open={isOpen} onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Radix.Content
          className={`fixed top-[8vh] left-1/2 z-50 flex max-h-[84vh] -translate-x-1/2 flex-col overflow-y-auto rounded-large bg-panel p-5 shadow-raise outline-none ${isWide ? 'w-[min(calc(100vw-1.5rem),46rem)]' : 'w-[min(calc(100vw-1.5rem),30rem)]'}`}
          onInteractOutside={(event) => isKept && event.preventDefault()}
          {...(description === undefined ? { 'aria-describedby': undefined } : {})}
        >
          <div className="mb-4 flex items-start gap-3">
            <div className="grow">
              <Radix.Title className="text-large font-semibold">{title}</Radix.Title>
              {description !== undefined && (
                <Radix.Description className="mt-0.5 text-soft">{description}</Radix.Description>
              )}
            </div>
            <Radix.Close
              aria-label={t`Close`}
              className="-mt-1 -mr-1 flex size-8 shrink-0 items-center justify-center rounded-base text-soft hover:bg-sunken hover:text-ink"
            >
              <X size={16} aria-hidden />
            </Radix.Close>
          </div>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Row of buttons at the foot of a dialog; the one that goes on stands last. */
export function Actions({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-2">{children}</div>;
}
