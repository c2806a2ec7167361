import { Trans, useLingui } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Search } from 'lucide-react';
import { useEffect, useState, type ReactNode, type SubmitEvent } from 'react';
import { given } from '../../api/client.ts';
import { providers } from '../../api/integrations.ts';
import { useChoices } from '../../api/names.ts';
import { Button } from '../../parts/button.tsx';
import { Select } from '../../parts/field.tsx';
import { CALL_OUTCOME, CREDENTIAL } from '../../words/labels.ts';
import { idOf, OUTCOMES, type CallSearch } from './search.ts';

const STATUSES = ['2xx', '4xx', '429', '5xx'];

interface Props {
  search: CallSearch;
  onChange: (search: CallSearch) => void;
}

/** Filter of the log, in the address; and the way to one call by its id, whenever it was. */
export function Filters({ search, onChange }: Props) {
  const { t, i18n } = useLingui();
  const known = useQuery(providers).data ?? [];
  const set = (change: { [K in keyof CallSearch]: CallSearch[K] | '' }) =>
    onChange(given({ ...search, ...change }) as CallSearch);
  const choose = (name: keyof CallSearch) => (value: string) => set({ [name]: value });
  const ofKind = {
    project: useChoices('project'),
    integration: useChoices('integration'),
    key: useChoices('virtual_key'),
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      <IdField />
      <Filter
        label={t`Time`}
        value={search.since}
        all={t`All times`}
        onChoose={choose('since')}
        options={[
          { value: '15m', label: t`Last 15 minutes` },
          { value: '1h', label: t`Last hour` },
          { value: '24h', label: t`Last 24 hours` },
          { value: '7d', label: t`Last 7 days` },
        ]}
      />
      <Filter
        label={t`Outcome`}
        value={search.outcome}
        all={t`All outcomes`}
        onChoose={choose('outcome')}
        options={OUTCOMES.map((value) => ({ value, label: i18n._(CALL_OUTCOME[value]) }))}
      />
      <Filter
        label={t`HTTP status`}
        value={search.http_status}
        all={t`All statuses`}
        onChoose={choose('http_status')}
        options={[...new Set([...STATUSES, ...(search.http_status === undefined ? [] : [search.http_status])])].map(
          (value) => ({ value, label: value }),
        )}
      />
      <ModelField value={search.model ?? ''} onChange={choose('model')} />
      <Filter
        label={t`Provider`}
        value={search.provider}
        all={t`All providers`}
        onChoose={choose('provider')}
        options={known.map(({ name, display_name }) => ({ value: name, label: display_name }))}
      />
      <Filter
        label={t`Integration`}
        value={search.integration_id}
        all={t`All integrations`}
        onChoose={choose('integration_id')}
        options={named(ofKind.integration)}
      />
      <Filter
        label={t`Virtual key`}
        value={search.virtual_key_id}
        all={t`All virtual keys`}
        onChoose={choose('virtual_key_id')}
        options={named(ofKind.key)}
      />
      {ofKind.project.length > 1 && (
        <Filter
          label={t`Project`}
          value={search.project_id}
          all={t`All projects`}
          onChoose={choose('project_id')}
          options={named(ofKind.project)}
        />
      )}
      <Filter
        label={t`Credential`}
        value={search.credential}
        all={t`Own and operator's keys`}
        onChoose={choose('credential')}
        options={(['own', 'fallback'] as const).map((value) => ({ value, label: i18n._(CREDENTIAL[value]) }))}
      />
      {Object.keys(search).length > 0 && (
        <Button look="quiet" onClick={() => onChange({})}>
          <Trans>Show all</Trans>
        </Button>
      )}
    </div>
  );
}

interface FilterProps {
  label: string;
  value: string | undefined;
  all: string;
  options: { value: string; label: ReactNode }[];
  onChoose: (value: string) => void;
}

function Filter({ label, value = '', all, options, onChoose }: FilterProps) {
  // A link may name one that is not in the list.
  const isKnown = value === '' || options.some((option) => option.value === value);
  return (
    <Select aria-label={label} className="max-w-44" value={value} onChange={(event) => onChoose(event.target.value)}>
      <option value="">{all}</option>
      {!isKnown && <option value={value}>{value}</option>}
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </Select>
  );
}

function named(rows: { id: string; name: string }[]) {
  return rows.map(({ id, name }) => ({ value: id, label: name }));
}

/** Opens a call by its id, also one that the filter leaves out. */
function IdField() {
  const { t } = useLingui();
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const id = idOf(typed);
  const isWrong = typed.trim() !== '' && id === null;
  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    if (id !== null) void navigate({ to: '/requests/$id', params: { id } });
  }
  return (
    <form onSubmit={onSubmit} className="relative inline-flex max-md:w-full">
      <Search size={14} aria-hidden className="pointer-events-none absolute top-2.25 left-2.5 text-soft" />
      <input
        type="search"
        aria-label={t`Request id, also outside the filter`}
        title={t`Request id, also outside the filter`}
        placeholder="req_…"
        aria-invalid={isWrong}
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        className="h-8 w-full rounded-base border border-edge bg-panel pr-2 pl-8 font-mono text-small aria-invalid:border-bad md:w-60"
      />
    </form>
  );
}

function ModelField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useLingui();
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onChange(typed.trim());
      }}
    >
      <input
        type="text"
        aria-label={t`Model`}
        placeholder={t`Model, exactly`}
        maxLength={200}
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => typed.trim() !== value && onChange(typed.trim())}
        className="h-8 w-36 rounded-base border border-edge bg-panel px-2.5"
      />
    </form>
  );
}
