/** How providers' keys look, to tell a slip of the clipboard before it is sent. It is advice: the provider decides. */

export type Form = 'key' | 'object';

interface Format {
  /** Public beginnings of its keys, longest first, as in models.yaml; empty: it has none. */
  prefixes: string[];
  form: Form;
}

const FORMATS: Record<string, Format> = {
  openai: { prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-service-', 'sk-admin-', 'sk-'], form: 'key' },
  anthropic: { prefixes: ['sk-ant-admin01-', 'sk-ant-api03-', 'sk-ant-'], form: 'key' },
  xai: { prefixes: ['xai-'], form: 'key' },
  gemini: { prefixes: ['AIza', 'AQ.'], form: 'key' },
  openrouter: { prefixes: ['sk-or-v1-'], form: 'key' },
  groq: { prefixes: ['gsk_'], form: 'key' },
  deepseek: { prefixes: ['sk-'], form: 'key' },
  aws: { prefixes: [], form: 'object' },
  azure: { prefixes: [], form: 'object' },
  google_cloud: { prefixes: [], form: 'object' },
  xai_management: { prefixes: [], form: 'object' },
};

export const PREFIXES: Record<string, string[]> = Object.fromEntries(
  Object.entries(FORMATS).flatMap(([name, { prefixes }]) => (prefixes.length > 0 ? [[name, prefixes]] : [])),
);

export function formOf(provider: string): Form {
  return FORMATS[provider]?.form ?? 'key';
}

/** Returns the beginnings that keys of a provider have; empty if it is not known. */
export function prefixesOf(provider: string): string[] {
  return FORMATS[provider]?.prefixes ?? [];
}

/** Frees what was pasted from blanks, line ends and signs that nobody sees around it. */
export function trimmed(text: string): string {
  return text.replace(/^[\s\u200B-\u200D\u2060\uFEFF]+|[\s\u200B-\u200D\u2060\uFEFF]+$/g, '');
}

export type Doubt = 'prefix' | 'other-provider' | 'blank' | 'no-object';

/** Returns what looks wrong with a credential, and whose it seems to be; null: nothing. */
export function doubtOf(provider: string, text: string): { kind: Doubt; other?: string } | null {
  if (text === '') return null;
  if (formOf(provider) === 'object') return isObject(text) ? null : { kind: 'no-object' };
  if (/\s/.test(text)) return { kind: 'blank' };
  const prefixes = prefixesOf(provider);
  const longest = (name: string) => FORMATS[name]?.prefixes.find((prefix) => text.startsWith(prefix))?.length ?? 0;
  const own = longest(provider);
  const [other] = Object.keys(FORMATS).toSorted((a, b) => longest(b) - longest(a));
  if (prefixes.length > 0 && other !== undefined && longest(other) > own && longest(other) > 3) {
    return { kind: 'other-provider', other };
  }
  return prefixes.length === 0 || own > 0 ? null : { kind: 'prefix' };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
