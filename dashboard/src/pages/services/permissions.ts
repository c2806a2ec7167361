/** Permissions as a person chooses them: by resource, no more than its own. */

export interface Resource {
  name: string;
  permissions: string[];
}

/** Groups permissions like `integrations.read` by what stands before the dot, in the order in which they come. */
export function byResource(permissions: string[]): Resource[] {
  const groups = Map.groupBy(permissions, (permission) => permission.split('.')[0] ?? permission);
  return [...groups].map(([name, own]) => ({ name, permissions: own }));
}

export function verbOf(permission: string): string {
  return permission.split('.')[1] ?? permission;
}

/** Returns those that change nothing. */
export function reading(permissions: string[]): string[] {
  return permissions.filter((permission) => verbOf(permission) === 'read');
}
