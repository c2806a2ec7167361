import { Trans } from '@lingui/react/macro';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type ReactNode } from 'react';

/** Rows beyond which only those in view are in the page. */
const VIRTUAL_FROM = 100;
const ROW_PX = 41;

export interface Column<Row> {
  id: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, so that their digits are below each other. */
  isNumber?: boolean;
  /** Left out on narrow screens. */
  isExtra?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  idOf: (row: Row) => string;
  /** Called when the end comes into view, to fetch the next page; undefined: there is none. */
  onEnd?: (() => void) | undefined;
}

/** Last column: what can be done with a row. Its head is for screen readers alone. */
export function actionsColumn<Row>(cell: (row: Row) => ReactNode): Column<Row> {
  const head = (
    <span className="sr-only">
      <Trans>Actions</Trans>
    </span>
  );
  return { id: 'actions', head, isNumber: true, cell };
}

function classOf<Row>(column: Column<Row>): string {
  return `px-3 ${column.isNumber ? 'text-right tabular-nums' : 'text-left'} ${column.isExtra ? 'max-md:hidden' : ''}`;
}

/** Table of rows of one height. A long one scrolls in itself. */
export function Table<Row>({ label, columns, rows, idOf, onEnd }: Props<Row>) {
  const scroller = useRef<HTMLDivElement>(null);
  const isVirtual = rows.length > VIRTUAL_FROM;
  const virtual = useVirtualizer({
    count: rows.length,
    enabled: isVirtual,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = isVirtual ? (items.at(-1)?.index ?? 0) : rows.length - 1;
  const isAtEnd = last >= rows.length - 10;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, onEnd]);

  const shown = isVirtual ? items.map((item) => item.index) : rows.map((_, index) => index);
  const beforePx = isVirtual ? (items[0]?.start ?? 0) : 0;
  const afterPx = isVirtual ? virtual.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  return (
    <div
      ref={scroller}
      role="region"
      aria-label={label}
      // A part that scrolls is reached by keyboard.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className={`relative overflow-auto rounded-large border border-line bg-panel ${isVirtual ? 'max-h-[72vh]' : ''}`}
    >
      <table className="w-full border-collapse" aria-rowcount={isVirtual ? rows.length + 1 : undefined}>
        <thead className="sticky top-0 z-10 bg-panel shadow-[0_1px_0_var(--line)]">
          <tr>
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                className={`h-9 text-small font-medium whitespace-nowrap text-soft ${classOf(column)}`}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {beforePx > 0 && <Space px={beforePx} columns={columns.length} />}
          {shown.map((index) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <tr
                key={idOf(row)}
                data-id={idOf(row)}
                aria-rowindex={isVirtual ? index + 2 : undefined}
                className="border-t border-line hover:bg-sunken/50"
              >
                {columns.map((column) => (
                  <td key={column.id} className={`h-10 ${classOf(column)}`}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {afterPx > 0 && <Space px={afterPx} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

function Space({ px, columns }: { px: number; columns: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height: px }} />
    </tr>
  );
}
