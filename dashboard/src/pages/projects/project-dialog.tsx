import { Trans } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { changeProject, createProject, type Project } from '../../api/projects.ts';
import { TextField } from '../../parts/field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { DollarField, LimitFields, readDollars, readLimits } from '../../parts/limits.tsx';
import { typed } from '../../parts/typed.ts';

/** Creates a project, or changes one. */
export default function ProjectDialog({ row, onClose }: { row?: Project; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [isConsenting, setConsenting] = useState(Boolean(row?.fallback));

  async function run(form: FormData) {
    const monthly_budget_nano_usd = readDollars(typed(form, 'fallback_budget')) ?? 0;
    const fallback = isConsenting ? { monthly_budget_nano_usd } : null;
    const body = { name: typed(form, 'name'), limits: readLimits(form), fallback };
    await (row === undefined ? createProject(body) : changeProject(row, body));
    await queryClient.invalidateQueries({ queryKey: ['projects'] });
    onClose();
  }

  return (
    <FormDialog
      title={row === undefined ? <Trans>New project</Trans> : <Trans>Change {row.name}</Trans>}
      action={row === undefined ? <Trans>Create</Trans> : <Trans>Save</Trans>}
      run={run}
      onClose={onClose}
    >
      <TextField
        label={<Trans>Name</Trans>}
        name="name"
        autoComplete="off"
        maxLength={100}
        defaultValue={row?.name}
        required
      />
      <LimitFields {...(row === undefined ? {} : { limits: row.limits })} />
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-2 font-medium">
          <Trans>The operator's key</Trans>
        </legend>
        <label className="inline-flex items-start gap-2">
          <input
            type="checkbox"
            className="mt-1 accent-accent"
            checked={isConsenting}
            onChange={(event) => setConsenting(event.target.checked)}
          />
          <Trans>
            When no key of the project can serve a call, the operator's OpenRouter key may. OpenRouter then sees the
            call.
          </Trans>
        </label>
        {isConsenting && (
          <DollarField
            label={<Trans>US dollars per month for such calls</Trans>}
            name="fallback_budget"
            nanoUsd={row?.fallback?.monthly_budget_nano_usd}
            isRequired
          />
        )}
      </fieldset>
    </FormDialog>
  );
}
