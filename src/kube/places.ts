import { readYaml, type Yaml } from '../read/places.ts'

/** A value of a YAML file together with where it stands. What is not there has the place of the nearest thing around it. */
export interface Place {
  /** file:line:column */
  readonly where: string
  get(key: string): Place
  items(): Place[]
  value(): unknown
  /** A scalar as text; undefined where there is none. */
  text(): string | undefined
}

/** Reads a YAML document. Failure (exit 2) YAML_SYNTAX with every fault, FILE_EMPTY. */
export function readPlaces(file: string, content: string): Place {
  const yaml = readYaml(file, content)
  return placeOf(yaml, [], yaml.value)
}

function placeOf(yaml: Yaml, path: readonly PropertyKey[], value: unknown): Place {
  const inside = (key: string | number) =>
    placeOf(
      yaml,
      [...path, key],
      Object(value) === value ? (value as Record<string | number, unknown>)[key] : undefined,
    )
  return {
    where: yaml.at(path),
    get: inside,
    items: () => (Array.isArray(value) ? value.map((_, i) => inside(i)) : []),
    value: () => value,
    text: () =>
      value === undefined || value === null || value === '' || Object(value) === value ? undefined : String(value),
  }
}
