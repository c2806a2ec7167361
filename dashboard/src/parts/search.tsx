import { Search } from 'lucide-react';
import { useEffect, useState } from 'react';

const TYPING_MS = 250;

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** Field that searches a moment after one stopped typing; the key `/` leads to it. */
export function SearchBox({ label, value, onChange }: Props) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => onChange(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, value, onChange]);
  return (
    <span className="relative inline-flex max-md:grow">
      <Search size={14} aria-hidden className="pointer-events-none absolute top-2.25 left-2.5 text-soft" />
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        maxLength={100}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        className="h-8 w-full rounded-base border border-edge bg-panel pr-2 pl-8 md:w-52"
      />
    </span>
  );
}
