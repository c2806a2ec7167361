/** Differences that an event made. The log has new values; the old ones are in the events before. */
import type { AuditEvent, Changes } from '../../api/audit.ts';

/** Fields that say how something was done, not what it made different. */
const CIRCUMSTANCES = ['address', 'operation_id', 'verdict'];

export interface Difference {
  field: string;
  /** undefined: no earlier event says it. */
  before: string | undefined;
  after: string;
}

/** Returns what an event made different, and the fields that it repeated. */
export function differences(event: AuditEvent, earlier: AuditEvent[]): { changed: Difference[]; same: Difference[] } {
  const all = Object.entries(written(event.changes)).map(([field, after]) => {
    const last = earlier.find((one) => field in written(one.changes));
    const before = field === 'status' ? statusBefore(event.changes) : undefined;
    return { field, before: before ?? (last && written(last.changes)[field]), after };
  });
  return {
    changed: all.filter(({ before, after }) => before !== after),
    same: all.filter(({ before, after }) => before === after),
  };
}

/** Returns how it was done, field by field. */
export function circumstances(event: AuditEvent): [string, string][] {
  return CIRCUMSTANCES.flatMap((name) => (name in event.changes ? [[name, write(event.changes[name])]] : []));
}

/** Writes the fields of an event as texts, those of an object inside by their path. */
function written(changes: Changes): Record<string, string> {
  const { from: _, to, ...rest } = changes;
  const isStatus = statusBefore(changes) !== undefined;
  const fields = Object.entries(isStatus ? { ...rest, status: to } : changes).filter(
    ([name]) => !CIRCUMSTANCES.includes(name),
  );
  return Object.fromEntries(
    fields.flatMap(([name, value]) =>
      isObject(value)
        ? Object.entries(value).map(([inner, deep]) => [`${name}.${inner}`, write(deep)])
        : [[name, write(value)]],
    ),
  );
}

/** Returns the old status of a change of status, which has both values itself. A time is no status. */
function statusBefore({ from, to }: Changes): string | undefined {
  const isStatus = [from, to].every((value) => typeof value === 'string' && /^[a-z_]+$/.test(value));
  return isStatus ? String(from) : undefined;
}

function isObject(value: unknown): value is Changes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function write(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
