import { Trans } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import { PasswordField } from './field.tsx';

/** Fewest characters of a password that stands alone. */
export const ALONE_CHARS = 15;
/** Fewest characters of a password beside a second factor. */
export const BESIDE_FACTOR_CHARS = 8;

interface Props {
  label: ReactNode;
  /** Fewest characters that the server takes; null: it is not known here whether there is a second factor. */
  fewest?: number | null;
}

/** Field for a password that is chosen now. */
export function NewPasswordField({ label, fewest = ALONE_CHARS }: Props) {
  return (
    <PasswordField
      label={label}
      hint={<Trans>At least {fewest ?? ALONE_CHARS} characters. A few words are easier to keep than signs.</Trans>}
      name="password"
      autoComplete="new-password"
      minLength={fewest ?? BESIDE_FACTOR_CHARS}
      maxLength={256}
      required
    />
  );
}
