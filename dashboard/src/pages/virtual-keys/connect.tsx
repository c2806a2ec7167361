import { Trans, useLingui } from '@lingui/react/macro';
import { useState } from 'react';
import { CopyButton } from '../../parts/copy.tsx';
import { SelectField } from '../../parts/field.tsx';
import { GROUPS, SNIPPETS, type Snippet } from './snippets.ts';

/** Place of the key in snippets when it is not at hand. */
const PLACEHOLDER = 'kw_live_...';

/** Ready snippets for real clients, with this installation's own address. */
export function Connect({ virtualKey = PLACEHOLDER }: { virtualKey?: string }) {
  const { t, i18n } = useLingui();
  const [id, setId] = useState(SNIPPETS[0]!.id);
  const snippet = SNIPPETS.find((one) => one.id === id) ?? SNIPPETS[0]!;
  return (
    <div className="flex flex-col gap-4">
      <SelectField label={<Trans>Client</Trans>} value={id} onChange={(event) => setId(event.target.value)}>
        {GROUPS.map((group) => (
          <optgroup key={group.id} label={i18n._(group.label)}>
            {SNIPPETS.filter((one) => one.group === group.id).map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </optgroup>
        ))}
      </SelectField>
      <Code label={t`Snippet for ${snippet.name}`} text={snippet.text({ root: location.origin, key: virtualKey })} />
      <Notes snippet={snippet} />
    </div>
  );
}

function Notes({ snippet }: { snippet: Snippet }) {
  const { t, i18n } = useLingui();
  return (
    <>
      {snippet.install !== undefined && <Code label={t`Installation`} text={snippet.install} />}
      {snippet.place !== undefined && <p className="text-soft">{i18n._(snippet.place)}</p>}
    </>
  );
}

function Code({ label, text }: { label: string; text: string }) {
  return (
    <div className="relative">
      <pre
        role="region"
        aria-label={label}
        // A part that scrolls is reached by keyboard.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        className="overflow-x-auto rounded-base border border-line bg-page p-3 pr-10 font-mono text-small"
      >
        <code>{text}</code>
      </pre>
      <span className="absolute top-2 right-2 rounded-base bg-panel">
        <CopyButton text={text} />
      </span>
    </div>
  );
}
