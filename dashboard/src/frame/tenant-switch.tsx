import { useLingui } from '@lingui/react/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { chosenTenant, chooseTenant } from '../api/tenant.ts';
import { Select } from '../parts/field.tsx';
import { useMe } from './me.ts';

/** Tenant that everything on the page belongs to; a choice for those who are in several. */
export function TenantSwitch() {
  const { t } = useLingui();
  const { tenants } = useMe();
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  // Who has a role in two projects of a tenant has two rows of it.
  const named = new Map(tenants.map(({ id, name }) => [id, name]));
  if (named.size <= 1) {
    return <p className="truncate px-2 font-medium">{[...named.values()][0]}</p>;
  }
  return (
    <Select
      aria-label={t`Tenant`}
      className="flex"
      value={chosenTenant() ?? ''}
      onChange={(event) => {
        chooseTenant(event.target.value);
        // Nothing of the other tenant stays, and permissions are others.
        void queryClient.resetQueries().then(() => navigate({ to: '/' }));
      }}
    >
      {[...named].map(([id, name]) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}
