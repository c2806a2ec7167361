import { useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client.ts';
import { given } from '../../api/client.ts';
import { projects, providers, type IntegrationFilter, type IntegrationStatus } from '../../api/integrations.ts';
import { Select } from '../../parts/field.tsx';
import { SearchBox } from '../../parts/search.tsx';
import { INTEGRATION_STATUS } from '../../words/labels.ts';

interface Props {
  filter: IntegrationFilter;
  counts: Schemas['StatusCounts'] | null | undefined;
  onChange: (filter: IntegrationFilter) => void;
}

/** Filter of the list. It lives in the address, so that Back and a link bring it back. */
export function Filters({ filter, counts, onChange }: Props) {
  const { t, i18n } = useLingui();
  const known = useQuery(providers);
  const own = useQuery(projects);
  const set = (change: IntegrationFilter) => onChange(given({ ...filter, ...change }));
  const statuses = Object.keys(INTEGRATION_STATUS) as IntegrationStatus[];
  const total = counts && statuses.reduce((sum, status) => sum + counts[status], 0);
  return (
    <div className="flex flex-wrap items-center gap-2">
      <div role="group" aria-label={t`Status`} className="flex flex-wrap gap-1">
        <Chip isChosen={filter.status === undefined} count={total} onChoose={() => set({ status: undefined })}>
          {t`All`}
        </Chip>
        {statuses.map((status) => (
          <Chip
            key={status}
            isChosen={filter.status === status}
            count={counts?.[status]}
            onChoose={() => set({ status })}
          >
            {i18n._(INTEGRATION_STATUS[status])}
          </Chip>
        ))}
      </div>
      <span className="grow max-md:hidden" />
      <Select
        aria-label={t`Provider`}
        value={filter.provider ?? ''}
        onChange={(event) => set({ provider: event.target.value })}
      >
        <option value="">{t`All providers`}</option>
        {known.data?.map(({ name, display_name }) => (
          <option key={name} value={name}>
            {display_name}
          </option>
        ))}
      </Select>
      {(own.data?.length ?? 0) > 1 && (
        <Select
          aria-label={t`Project`}
          value={filter.project_id ?? ''}
          onChange={(event) => set({ project_id: event.target.value })}
        >
          <option value="">{t`All projects`}</option>
          {own.data?.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      )}
      <SearchBox label={t`Search by name`} value={filter.search ?? ''} onChange={(search) => set({ search })} />
    </div>
  );
}

interface ChipProps {
  isChosen: boolean;
  count: number | null | undefined;
  onChoose: () => void;
  children: string;
}

function Chip({ isChosen, count, onChoose, children }: ChipProps) {
  const look = isChosen ? 'border-edge bg-panel text-ink font-medium' : 'border-transparent text-soft hover:bg-sunken';
  return (
    <button
      type="button"
      aria-pressed={isChosen}
      onClick={onChoose}
      className={`inline-flex h-7 items-center gap-1.5 rounded-full border px-2.5 whitespace-nowrap ${look}`}
    >
      {children}
      {typeof count === 'number' && <span className="text-small tabular-nums">{count}</span>}
    </button>
  );
}
