import { Trans, useLingui } from '@lingui/react/macro';
import type { ClipboardEvent, ReactNode } from 'react';
import { AreaField, SecretField } from '../../parts/field.tsx';
import { doubtOf, formOf, prefixesOf, trimmed } from './formats.ts';

interface Props {
  provider: string;
  /** Providers' names for people. */
  names: Map<string, string>;
  value: string;
  onChange: (value: string) => void;
}

/** Field for a provider's key. It doubts aloud, but forbids nothing: providers change how their keys look. */
export function CredentialField({ provider, names, value, onChange }: Props) {
  const { t } = useLingui();
  const prefixes = prefixesOf(provider);
  const doubt = doubtOf(provider, trimmed(value));
  const example = prefixes.at(-1);
  let hint: ReactNode = example === undefined ? undefined : t`Begins with ${example}`;
  if (doubt?.kind === 'blank') hint = <Warning>{t`There is a blank in it. Is it one key?`}</Warning>;
  if (doubt?.kind === 'prefix') hint = <Warning>{t`Keys of this provider begin with ${prefixes.join(', ')}`}</Warning>;
  if (doubt?.kind === 'other-provider') {
    const other = names.get(doubt.other ?? '') ?? doubt.other ?? '';
    hint = <Warning>{t`This looks like a key of ${other}`}</Warning>;
  }
  if (doubt?.kind === 'no-object') hint = <Warning>{t`This is not yet a whole JSON object`}</Warning>;

  function onPaste(event: ClipboardEvent<HTMLInputElement | HTMLTextAreaElement>) {
    const pasted = event.clipboardData.getData('text');
    const clean = trimmed(pasted);
    if (clean === pasted) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = event.currentTarget;
    onChange(value.slice(0, selectionStart ?? value.length) + clean + value.slice(selectionEnd ?? value.length));
  }

  if (formOf(provider) === 'object') {
    return (
      <AreaField
        label={<Trans>Credential as a JSON object</Trans>}
        hint={hint ?? t`The fields are listed in PROVIDERS.md.`}
        name="credentials"
        autoComplete="off"
        spellCheck={false}
        value={value}
        required
        onPaste={onPaste}
        onChange={(event) => onChange(event.target.value)}
      />
    );
  }
  return (
    <SecretField
      label={<Trans>Key</Trans>}
      hint={hint ?? t`Blanks around it are dropped.`}
      name="credentials"
      value={value}
      required
      onPaste={onPaste}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function Warning({ children }: { children: ReactNode }) {
  return <span className="font-medium text-warn">{children}</span>;
}

/** Returns what is sent: a key as text, a cloud's credential as an object. */
export function credentialOf(provider: string, text: string): string | Record<string, unknown> {
  const clean = trimmed(text);
  return formOf(provider) === 'object' ? (JSON.parse(clean) as Record<string, unknown>) : clean;
}
