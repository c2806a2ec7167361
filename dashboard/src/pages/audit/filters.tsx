import { Trans, useLingui } from '@lingui/react/macro';
import { useEffect, useState } from 'react';
import { given } from '../../api/client.ts';
import { Button } from '../../parts/button.tsx';
import { Select } from '../../parts/field.tsx';
import { ACTOR_TYPE } from '../../words/labels.ts';
import { ACTORS, auditSearch, type AuditSearch } from './search.ts';

interface Props {
  search: AuditSearch;
  /** Actions to be offered: those that the page has seen. */
  actions: string[];
  onChange: (search: AuditSearch) => void;
}

/** Filter of the audit log, in the address. */
export function Filters({ search, actions, onChange }: Props) {
  const { t, i18n } = useLingui();
  const set = (change: Record<string, string>) => onChange(auditSearch(given({ ...search, ...change })));
  const day = 'h-8 w-32 rounded-base border border-edge bg-panel px-2 tabular-nums';
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Exactly
        label={t`Action`}
        placeholder="integration.created"
        value={search.action ?? ''}
        choices={actions}
        isSearch
        onChange={(action) => set({ action })}
      />
      <Exactly
        label={t`Id of the target`}
        placeholder="int_…"
        value={search.target ?? ''}
        choices={[]}
        onChange={(target) => set({ target })}
      />
      <Select
        aria-label={t`Actor`}
        value={search.actor_type ?? ''}
        onChange={(event) => set({ actor_type: event.target.value })}
      >
        <option value="">{t`All actors`}</option>
        {ACTORS.map((actor) => (
          <option key={actor} value={actor}>
            {i18n._(ACTOR_TYPE[actor])}
          </option>
        ))}
      </Select>
      <span className="inline-flex items-center gap-1">
        <input
          type="date"
          aria-label={t`First day`}
          value={search.from ?? ''}
          max={search.until}
          className={day}
          onChange={(event) => set({ from: event.target.value })}
        />
        <span aria-hidden className="text-soft">
          –
        </span>
        <input
          type="date"
          aria-label={t`Last day`}
          value={search.until ?? ''}
          min={search.from}
          className={day}
          onChange={(event) => set({ until: event.target.value })}
        />
      </span>
      {Object.keys(search).length > 0 && (
        <Button look="quiet" onClick={() => onChange({})}>
          <Trans>Show all</Trans>
        </Button>
      )}
    </div>
  );
}

interface ExactlyProps {
  label: string;
  placeholder: string;
  value: string;
  choices: string[];
  isSearch?: boolean;
  onChange: (value: string) => void;
}

/** Field whose text is asked for as it is, when it is left or entered. */
function Exactly({ label, placeholder, value, choices, isSearch = false, onChange }: ExactlyProps) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const list = `choices-${placeholder}`;
  const take = () => typed.trim() !== value && onChange(typed.trim());
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        take();
      }}
    >
      <input
        type={isSearch ? 'search' : 'text'}
        aria-label={label}
        placeholder={placeholder}
        list={choices.length > 0 ? list : undefined}
        maxLength={100}
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={take}
        className="h-8 w-52 rounded-base border border-edge bg-panel px-2.5 font-mono text-small"
      />
      {choices.length > 0 && (
        <datalist id={list}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </form>
  );
}
