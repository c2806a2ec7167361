import { useLingui } from '@lingui/react/macro';
import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { IconButton } from './button.tsx';

/** Puts a text into the clipboard, also where the page came by plain http and browsers offer no clipboard. */
export async function copyText(text: string): Promise<boolean> {
  if (window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not permitted: the older way needs no permission.
    }
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.readOnly = true;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  // An open dialog takes the focus back from everything outside it.
  const dialogs = document.querySelectorAll('[role=dialog]');
  (dialogs.item(dialogs.length - 1) ?? document.body).append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } finally {
    area.remove();
  }
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useLingui();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const Sign = isCopied ? Check : Copy;
  return (
    <IconButton
      label={isCopied ? t`Copied` : (label ?? t`Copy`)}
      className="!size-6"
      onClick={() => void copyText(text).then(setCopied)}
    >
      <Sign size={13} aria-hidden />
    </IconButton>
  );
}

/** Id or another text for machines: monospace, shortened in the middle of a page, copied whole. */
export function Id({ value }: { value: string }) {
  return (
    <span className="inline-flex max-w-full min-w-0 items-center gap-0.5">
      <span className="truncate font-mono text-small text-soft">{value}</span>
      <CopyButton text={value} />
    </span>
  );
}
