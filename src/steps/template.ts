import { readFileSync } from 'node:fs'

/**
 * A text of the package's folder templates/ with its holes filled: `@NAME@` becomes values.NAME. The text is part of the
 * program, as if it stood here. Throws when a hole has no value or a value has no hole.
 */
export function template(name: string, values: Readonly<Record<string, string>> = {}): string {
  const text = textOf(name)
  const used = new Set<string>()
  const filled = text.replace(/@([A-Z_]+)@/g, (_, hole: string) => {
    const value = values[hole]
    if (value === undefined) throw new Error(`templates/${name}: no value for @${hole}@`)
    used.add(hole)
    return value
  })
  const unused = Object.keys(values).find((hole) => !used.has(hole))
  if (unused) throw new Error(`templates/${name}: no hole @${unused}@`)
  return filled
}

const texts = new Map<string, string>()

function textOf(name: string): string {
  const text = texts.get(name) ?? readFileSync(new URL(`../../templates/${name}`, import.meta.url), 'utf8')
  texts.set(name, text)
  return text
}
