import { Trans, useLingui } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import { useNames } from '../../api/names.ts';
import type { Call } from '../../api/requests.ts';
import { Money } from '../../parts/money.tsx';
import { Table, type Column } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { CREDENTIAL } from '../../words/labels.ts';
import { CallStatus } from './call-status.tsx';

interface Props {
  rows: Call[];
  onEnd: (() => void) | undefined;
}

export function CallTable({ rows, onEnd }: Props) {
  const { t, i18n } = useLingui();
  const integration = useNames(
    'integration',
    rows.map((row) => row.integration_id),
  );
  const key = useNames(
    'virtual_key',
    rows.map((row) => row.virtual_key_id),
  );
  const number = new Intl.NumberFormat(i18n.locale);
  const figure = (value: number | null | undefined, unit = '') =>
    typeof value === 'number' ? `${number.format(value)}${unit}` : <span className="text-soft">—</span>;
  const columns: Column<Call>[] = [
    {
      id: 'time',
      head: <Trans>Time</Trans>,
      cell: (row) => (
        <Link to="/requests/$id" params={{ id: row.id }} className="text-accent hover:underline">
          <Time at={row.started_at} />
        </Link>
      ),
    },
    { id: 'status', head: <Trans>Status</Trans>, cell: (row) => <CallStatus call={row} /> },
    {
      id: 'model',
      head: <Trans>Model</Trans>,
      cell: (row) => (
        <span className="block max-w-44 truncate max-md:max-w-28" title={row.model ?? row.path}>
          {row.model ?? <span className="font-mono text-small text-soft">{row.path}</span>}
        </span>
      ),
    },
    {
      id: 'integration',
      head: <Trans>Integration</Trans>,
      isExtra: true,
      cell: (row) => (
        <span className="block max-w-36 truncate">
          {typeof row.integration_id === 'string'
            ? integration(row.integration_id)
            : row.outcome === 'refused'
              ? '—'
              : i18n._(CREDENTIAL[row.credential])}
        </span>
      ),
    },
    {
      id: 'key',
      head: <Trans>Virtual key</Trans>,
      isExtra: true,
      cell: (row) => <span className="block max-w-32 truncate">{key(row.virtual_key_id)}</span>,
    },
    {
      id: 'tokens',
      head: <Trans>Tokens in / out</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => (
        <>
          {figure(row.input_tokens)} / {figure(row.output_tokens)}
        </>
      ),
    },
    {
      id: 'cost',
      head: <Trans>Cost</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => <Money nanoUsd={row.cost_nano_usd} />,
    },
    {
      id: 'first',
      head: <Trans>First byte</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => figure(row.first_byte_ms, ' ms'),
    },
    {
      id: 'took',
      head: <Trans>Took</Trans>,
      isNumber: true,
      isExtra: true,
      cell: (row) => figure(row.duration_ms, ' ms'),
    },
  ];
  return <Table label={t`Requests`} columns={columns} rows={rows} idOf={(row) => row.id} onEnd={onEnd} />;
}
