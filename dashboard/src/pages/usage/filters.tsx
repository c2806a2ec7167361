import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { given } from '../../api/client.ts';
import { providers } from '../../api/integrations.ts';
import { useChoices, useNames } from '../../api/names.ts';
import type { Range } from '../../api/usage.ts';
import { Choice } from '../../parts/choice.tsx';
import { Select } from '../../parts/field.tsx';
import { daysOf } from './figures.ts';
import { GROUPS, RANGES, type UsageSearch } from './search.ts';
import { GROUP } from './words.ts';

interface Props {
  search: UsageSearch;
  range: Range;
  onChange: (search: UsageSearch) => void;
}

/** What is summed, and by what. All of it lives in the address. */
export function Filters({ search, range, onChange }: Props) {
  const { t, i18n } = useLingui();
  const known = useQuery(providers).data ?? [];
  const projects = useChoices('project');
  const set = (change: { [K in keyof UsageSearch]: UsageSearch[K] | '' | undefined }) =>
    onChange(given({ ...search, ...change }) as UsageSearch);
  const isSpan = search.from !== undefined;
  const ranges = { '7d': t`7 days`, '30d': t`30 days`, '90d': t`90 days`, month: t`This month` };
  const last = daysOf(range).at(-1) ?? range.from;
  const setDay = (change: { from?: string; until?: string }) => {
    const span = { from: range.from, until: last, ...change };
    if (span.from !== '' && span.until !== '' && span.from <= span.until) set({ ...span, range: undefined });
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Choice
        label={t`Range`}
        value={isSpan ? undefined : (search.range ?? '30d')}
        options={RANGES.map((value) => ({ value, label: ranges[value] }))}
        onChoose={(value) => set({ range: value, from: undefined, until: undefined })}
      />
      <span className="inline-flex items-center gap-1">
        <DayField label={t`First day`} value={range.from} max={last} onChange={(from) => setDay({ from })} />
        <span aria-hidden className="text-soft">
          –
        </span>
        <DayField label={t`Last day`} value={last} min={range.from} onChange={(until) => setDay({ until })} />
      </span>
      <span className="grow max-md:hidden" />
      <Select
        aria-label={t`Group by`}
        value={search.group ?? 'model'}
        onChange={(event) => set({ group: event.target.value as UsageSearch['group'] })}
      >
        {GROUPS.map((group) => (
          <option key={group} value={group}>
            {t`By: ${i18n._(GROUP[group])}`}
          </option>
        ))}
      </Select>
      <Select
        aria-label={t`Provider`}
        value={search.provider ?? ''}
        onChange={(event) => set({ provider: event.target.value })}
      >
        <option value="">{t`All providers`}</option>
        {known.map(({ name, display_name }) => (
          <option key={name} value={name}>
            {display_name}
          </option>
        ))}
      </Select>
      {projects.length > 1 && (
        <Select
          aria-label={t`Project`}
          value={search.project_id ?? ''}
          onChange={(event) => set({ project_id: event.target.value })}
        >
          <option value="">{t`All projects`}</option>
          {projects.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      )}
      <Choice
        label={t`Unit`}
        value={search.unit ?? 'money'}
        options={[
          { value: 'money', label: <Trans>Money</Trans> },
          { value: 'tokens', label: <Trans>Tokens</Trans> },
        ]}
        onChoose={(unit) => set({ unit })}
      />
      <Only search={search} set={set} />
    </div>
  );
}

/** Filters that come by a link alone; each can be taken off. */
function Only({
  search,
  set,
}: {
  search: UsageSearch;
  set: (change: UsageSearch | Record<string, undefined>) => void;
}) {
  const integration = useNames('integration', [search.integration_id]);
  const key = useNames('virtual_key', [search.virtual_key_id]);
  return (
    <>
      {search.integration_id !== undefined && (
        <Tag onDrop={() => set({ integration_id: undefined })}>
          <Trans>Integration</Trans>: {integration(search.integration_id)}
        </Tag>
      )}
      {search.virtual_key_id !== undefined && (
        <Tag onDrop={() => set({ virtual_key_id: undefined })}>
          <Trans>Virtual key</Trans>: {key(search.virtual_key_id)}
        </Tag>
      )}
    </>
  );
}

function Tag({ onDrop, children }: { onDrop: () => void; children: ReactNode }) {
  const { t } = useLingui();
  return (
    <button
      type="button"
      title={t`Drop this filter`}
      onClick={onDrop}
      className="inline-flex h-7 max-w-72 items-center gap-1.5 rounded-full bg-accent-soft px-2.5 text-accent"
    >
      <span className="truncate">{children}</span>
      <X size={13} aria-hidden className="shrink-0" />
    </button>
  );
}

interface DayProps {
  label: string;
  value: string;
  min?: string;
  max?: string;
  onChange: (day: string) => void;
}

function DayField({ label, value, min, max, onChange }: DayProps) {
  return (
    <input
      type="date"
      aria-label={label}
      value={value}
      min={min}
      max={max}
      onChange={(event) => onChange(event.target.value)}
      className="h-8 w-32 rounded-base border border-edge bg-panel px-2 tabular-nums"
    />
  );
}
