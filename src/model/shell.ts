/**
 * Words for a POSIX shell. Everything that runs on a host is POSIX sh (dash, busybox and bash agree on it);
 * every value that enters a script passes through {@link quote}.
 */

/** A piece of POSIX shell, ready to run. */
export type Sh = string

/** One shell word that stands for exactly `value`: 'it'\''s'. Not zx's quoting, which is for bash only. */
export function quote(value: string): Sh {
  if (value !== '' && /^[A-Za-z0-9_\-./:=@%+,]+$/.test(value)) return value
  return `'${value.replaceAll("'", "'\\''")}'`
}

/** A template whose holes are quoted words: sh`mv ${from} ${to}`. An array becomes several words. */
export function sh(parts: TemplateStringsArray, ...values: (string | number | readonly string[])[]): Sh {
  return parts.reduce((text, part, i) => text + word(values[i - 1] as string | number | readonly string[]) + part)
}

function word(value: string | number | readonly string[]): Sh {
  return Array.isArray(value) ? value.map((v) => quote(String(v))).join(' ') : quote(String(value))
}
