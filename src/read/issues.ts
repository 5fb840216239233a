import type { z } from 'zod'
import type { Code } from '../model/codes.ts'
import { nearest } from '../model/nearest.ts'
import type { Trouble } from '../model/trouble.ts'
import type { Yaml } from './places.ts'
import { knownKeys, type Rule } from './schema.ts'

type Issue = z.core.$ZodIssue

/** What zod found, in the words of a user, each at its place in the file. */
export function troublesOf(found: readonly Issue[], yaml: Yaml): Trouble[] {
  const issues = found.flatMap(chosen)
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => unknownKey(issue.path, key, yaml)) : [],
  )
  const meant = new Set(unknown.map((u) => u.meant))
  const others = issues.flatMap((issue): Trouble[] => {
    if (issue.code === 'unrecognized_keys') return []
    // A misspelt key is one fault, not two.
    if (isMissing(issue, yaml)) return meant.has(issue.path.join('.')) ? [] : [missing(issue, yaml)]
    return [value(issue, yaml)]
  })
  return [...unknown.map((u) => u.trouble), ...others]
}

/** Of a value that may be of several forms: the faults in the form that was meant. */
function chosen(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.find((faults) => !faults.some((it) => it.code === 'invalid_type' && it.path.length === 0))
  return meant ? meant.map((it) => ({ ...it, path: [...issue.path, ...it.path] })).flatMap(chosen) : [issue]
}

function unknownKey(path: readonly PropertyKey[], key: string, yaml: Yaml): { trouble: Trouble; meant: string } {
  const known = knownKeys(path)
  const guess = nearest(key, known)
  const where = yaml.atKey([...path, key])
  const message = `${[...path, key].join('.')} is no key of an inventory`
  return {
    trouble: {
      code: 'KEY_UNKNOWN',
      message,
      where,
      fix: guess ? `did you mean ${guess}?` : `what may stand here: ${known.join(', ')}`,
    },
    meant: [...path, guess ?? ''].join('.'),
  }
}

function isMissing(issue: Issue, yaml: Yaml): boolean {
  if (issue.code !== 'invalid_type' && issue.code !== 'invalid_value') return false
  let at = yaml.value
  for (const key of issue.path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key]
  return at === undefined || at === null
}

function missing(issue: Issue, yaml: Yaml): Trouble {
  const path = issue.path.join('.')
  return { code: 'VALUE_MISSING', message: `${path} is missing`, where: yaml.at(issue.path), fix: `write ${path}` }
}

function value(issue: Issue, yaml: Yaml): Trouble {
  const path = issue.path.join('.') || 'the file'
  const where = yaml.at(issue.path)
  if (issue.code === 'custom') {
    const rule = (issue.params ?? {}) as Partial<Rule>
    return {
      code: (rule.code ?? 'VALUE_TYPE') as Code,
      message: `${path}: ${issue.message}`,
      where,
      ...(rule.fix ? { fix: rule.fix } : {}),
    }
  }
  const wrong = (wants: string, fix?: string): Trouble => ({
    code: 'VALUE_TYPE',
    message: `${path} has to be ${wants}`,
    where,
    ...(fix ? { fix } : {}),
  })
  if (issue.code === 'invalid_value') {
    const choices = issue.values.map(String)
    const guess = nearest(yaml.written(issue.path) ?? '', choices)
    return wrong(
      choices.length === 1 ? choices[0]! : `one of ${choices.join(', ')}`,
      guess ? `did you mean ${guess}?` : undefined,
    )
  }
  if (issue.code === 'too_big') return wrong(`at most ${issue.maximum}`)
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? wrong('something: it is empty') : wrong(`at least ${issue.minimum}`)
  const wanted =
    issue.code === 'invalid_type'
      ? [issue.expected]
      : issue.code === 'invalid_union'
        ? issue.errors.flat().flatMap((it) => (it.code === 'invalid_type' && it.path.length === 0 ? [it.expected] : []))
        : []
  if (wanted.length === 0) return wrong(`of another form: ${issue.message}`)
  const kinds: Record<string, string> = {
    string: 'text',
    int: 'a whole number',
    number: 'a whole number',
    object: 'a mapping (key: value)',
    record: 'a mapping (name: ...)',
    array: 'a list',
  }
  const written = yaml.written(issue.path)
  const quoted = wanted.includes('string') && written !== undefined ? `write it in quotes: "${written}"` : undefined
  return wrong(wanted.map((kind) => kinds[kind] ?? kind).join(' or '), quoted)
}
