import type { ReactNode } from 'react';

interface Props<T extends string> {
  label: string;
  value: T | undefined;
  options: { value: T; label: ReactNode }[];
  onChoose: (value: T) => void;
}

/** A few choices beside each other, of which one holds. */
export function Choice<T extends string>({ label, value, options, onChoose }: Props<T>) {
  return (
    <div
      role="group"
      aria-label={label}
      className="inline-flex flex-wrap rounded-base border border-edge bg-panel p-px"
    >
      {options.map((option) => {
        const isChosen = option.value === value;
        return (
          <button
            key={option.value}
            type="button"
            aria-pressed={isChosen}
            onClick={() => onChoose(option.value)}
            className={`h-7 rounded-small px-2.5 whitespace-nowrap ${isChosen ? 'bg-sunken font-medium text-ink' : 'text-soft hover:text-ink'}`}
          >
            {option.label}
          </button>
        );
      })}
    </div>
  );
}
