import { Trans, useLingui } from '@lingui/react/macro';
import { Check, Copy } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { Button } from './button.tsx';
import { copyText } from './copy.tsx';

interface Props {
  /** Name of what is shown. */
  label: string;
  value: string;
  /** Sentence below it. */
  children: ReactNode;
}

/** Secret that is shown this once. It is in this component's memory alone, and gone with it. */
export function Once({ label, value, children }: Props) {
  const { t } = useLingui();
  const [copied, setCopied] = useState<boolean | null>(null);
  const Sign = copied ? Check : Copy;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-center gap-2 rounded-base border border-edge bg-page p-2">
        <code aria-label={label} className="min-w-0 grow px-1 font-mono text-small break-all select-all">
          {value}
        </code>
        <Button onClick={() => void copyText(value).then(setCopied)}>
          <Sign size={14} aria-hidden />
          {copied ? <Trans>Copied</Trans> : <Trans>Copy</Trans>}
        </Button>
      </div>
      {copied === false && (
        <p role="alert" className="text-bad">{t`It was not copied. Mark it and copy it yourself.`}</p>
      )}
      <p className="text-soft">{children}</p>
    </div>
  );
}
