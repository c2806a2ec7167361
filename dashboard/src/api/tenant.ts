/** Tenant that the person works in, kept for the next visit. Its id is no secret. */
const NAME = 'tenant';

export function chosenTenant(): string | null {
  return localStorage.getItem(NAME);
}

export function chooseTenant(id: string | null) {
  if (id === null) localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, id);
}
