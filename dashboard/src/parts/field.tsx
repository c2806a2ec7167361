import { useLingui } from '@lingui/react/macro';
import { ChevronDown, Eye, EyeOff } from 'lucide-react';
import { useId, useState, type ComponentProps, type ReactNode } from 'react';

const box = 'w-full rounded-base border bg-panel px-2.5 text-ink aria-invalid:border-bad disabled:opacity-60';
const line = `${box} h-8 border-edge`;

interface Around {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
}

interface Bound {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean;
}

function Field({ label, hint, error, children }: Around & { children: (bound: Bound) => ReactNode }) {
  const id = useId();
  const isWrong = error !== undefined && error !== null && error !== false;
  const below = isWrong ? error : hint;
  const noteId = below === undefined ? undefined : `${id}-note`;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': noteId, 'aria-invalid': isWrong })}
      {below !== undefined && (
        <p
          id={noteId}
          role={isWrong ? 'alert' : undefined}
          className={`text-small ${isWrong ? 'text-bad' : 'text-soft'}`}
        >
          {below}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, hint, error, ...rest }: Around & ComponentProps<'input'>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(bound) => <input className={line} {...rest} {...bound} />}
    </Field>
  );
}

/** Field for several lines. */
export function AreaField({ label, hint, error, ...rest }: Around & ComponentProps<'textarea'>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(bound) => (
        <textarea className={`${box} border-edge py-1.5 font-mono text-small`} rows={5} {...rest} {...bound} />
      )}
    </Field>
  );
}

/** Choice among a few; the browser's own control, which every keyboard and screen reader knows. */
export function SelectField({ label, hint, error, children, ...rest }: Around & ComponentProps<'select'>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(bound) => (
        <Select {...rest} {...bound}>
          {children}
        </Select>
      )}
    </Field>
  );
}

export function Select({ className = '', children, ...rest }: ComponentProps<'select'>) {
  return (
    <span className={`relative inline-flex ${className}`}>
      <select className={`${line} appearance-none pr-7`} {...rest}>
        {children}
      </select>
      <ChevronDown size={14} aria-hidden className="pointer-events-none absolute top-2.25 right-2 text-soft" />
    </span>
  );
}

/** Field for a provider's key or another secret: no browser keeps it, no manager of passwords offers to. */
export function SecretField(props: Around & Omit<ComponentProps<'input'>, 'type'>) {
  return <HiddenField autoComplete="off" data-1p-ignore data-lpignore="true" data-bwignore {...props} />;
}

/** Field for a person's own password. */
export function PasswordField(props: Around & Omit<ComponentProps<'input'>, 'type'>) {
  return <HiddenField autoComplete="current-password" {...props} />;
}

function HiddenField({ label, hint, error, ...rest }: Around & Omit<ComponentProps<'input'>, 'type'>) {
  const { t } = useLingui();
  const [isShown, setShown] = useState(false);
  const Sign = isShown ? EyeOff : Eye;
  return (
    <Field label={label} hint={hint} error={error}>
      {(bound) => (
        <span className="relative flex">
          <input
            type={isShown ? 'text' : 'password'}
            spellCheck={false}
            autoCapitalize="none"
            className={`${line} pr-9 font-mono`}
            {...rest}
            {...bound}
          />
          <button
            type="button"
            className="absolute top-0 right-0 flex size-8 items-center justify-center rounded-base text-soft hover:text-ink"
            aria-label={isShown ? t`Hide what is typed` : t`Show what is typed`}
            onClick={() => setShown(!isShown)}
          >
            <Sign size={15} aria-hidden />
          </button>
        </span>
      )}
    </Field>
  );
}
