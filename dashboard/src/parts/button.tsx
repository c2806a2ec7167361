import type { ComponentProps } from 'react';

type Look = 'primary' | 'secondary' | 'quiet' | 'danger';

const LOOKS: Record<Look, string> = {
  primary: 'bg-primary text-on-primary border-primary hover:opacity-90',
  secondary: 'bg-panel text-ink border-edge hover:bg-sunken',
  quiet: 'bg-transparent text-soft border-transparent hover:bg-sunken hover:text-ink',
  danger: 'bg-panel text-bad border-bad hover:bg-bad-soft',
};

interface Props extends ComponentProps<'button'> {
  look?: Look;
  isBusy?: boolean;
}

/** Button. While it is busy it keeps its size and its focus, and does nothing. */
export function Button({ look = 'secondary', isBusy = false, className = '', onClick, type, ...rest }: Props) {
  const size = 'inline-flex h-8 items-center justify-center gap-1.5 rounded-base border px-3 whitespace-nowrap';
  const state = 'font-medium transition-colors disabled:opacity-50 aria-disabled:opacity-60';
  return (
    <button
      type={type === 'submit' ? 'submit' : 'button'}
      aria-disabled={isBusy}
      aria-busy={isBusy}
      className={`${size} ${state} ${LOOKS[look]} ${className}`}
      onClick={isBusy ? (event) => event.preventDefault() : onClick}
      {...rest}
    />
  );
}

/** Button with a sign alone; its label is for those who do not see the sign. */
export function IconButton({ label, className = '', ...rest }: ComponentProps<'button'> & { label: string }) {
  const look = 'inline-flex size-8 items-center justify-center rounded-base text-soft hover:bg-sunken hover:text-ink';
  return <button type="button" aria-label={label} title={label} className={`${look} ${className}`} {...rest} />;
}
