import type { ComponentProps, ReactNode } from 'react';
import { TextField } from './field.tsx';
import { useNow } from './time.tsx';

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Day of a point in time for a field of days, in the person's own time. */
export function dayOf(at: Date): string {
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`;
}

/** Last moment of a day in the person's own time; null: no day was chosen. */
export function endOf(day: string): string | null {
  if (day === '') return null;
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year!, month! - 1, date, 23, 59, 59).toISOString();
}

interface Props extends Omit<ComponentProps<'input'>, 'type' | 'min'> {
  label: ReactNode;
  hint?: ReactNode;
}

/** Field for a day from today on; it means the end of that day. */
export function DayField(props: Props) {
  return <TextField type="date" min={dayOf(new Date(useNow()))} {...props} />;
}
