import { Trans, useLingui } from '@lingui/react/macro';
import { useState } from 'react';
import type { Role } from '../../api/people.ts';
import { useMay } from '../../frame/me.ts';
import { SelectField } from '../../parts/field.tsx';
import { ROLE, ROLE_NOTE } from '../../words/labels.ts';

/** Choice of a role, with what it may do. Only who makes owners is offered that one. */
export function RoleField({ role = 'developer' }: { role?: Role }) {
  const { i18n } = useLingui();
  const may = useMay();
  const [chosen, setChosen] = useState(role);
  const offered = (Object.keys(ROLE) as Role[]).filter((one) => one !== 'owner' || may('owners.manage'));
  return (
    <SelectField
      label={<Trans>Role</Trans>}
      hint={i18n._(ROLE_NOTE[chosen])}
      name="role"
      value={chosen}
      onChange={(event) => setChosen(event.target.value as Role)}
    >
      {offered.map((one) => (
        <option key={one} value={one}>
          {i18n._(ROLE[one])}
        </option>
      ))}
    </SelectField>
  );
}
