import { Trans } from '@lingui/react/macro';
import type { ReactNode } from 'react';
import { PasswordField } from './field.tsx';

/** Fewest characters of a password that stands alone. */
const PASSWORD_CHARS = 15;

interface Props {
  label: ReactNode;
  /** `true` if it may stand beside a second factor, where the server takes a shorter one. */
  mayBeShort?: boolean;
}

/** Field for a password that is chosen now. */
export function NewPasswordField({ label, mayBeShort = false }: Props) {
  return (
    <PasswordField
      label={label}
      hint={<Trans>At least {PASSWORD_CHARS} characters. A few words are easier to keep than signs.</Trans>}
      name="password"
      autoComplete="new-password"
      {...(mayBeShort ? {} : { minLength: PASSWORD_CHARS })}
      maxLength={256}
      required
    />
  );
}
