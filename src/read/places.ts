import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import type { Trouble } from '../model/trouble.ts'
import { exits, Failure } from '../model/trouble.ts'

type Path = readonly PropertyKey[]

/** A YAML file with the place of everything in it. */
export interface Yaml {
  readonly value: unknown
  /** `file:line:column` of a value; of the nearest thing around it where it is not there. */
  at(path: Path): string
  /** `file:line:column` of a key. */
  atKey(path: Path): string
  /** A scalar as it is written: 1.40 and not 1.4 */
  written(path: Path): string | undefined
  /** Keys that stand twice in one mapping, as paths; each with the place of the second. */
  readonly twice: readonly { readonly path: readonly string[]; readonly where: string; readonly first: string }[]
}

/** Reads one YAML document. Failure with every fault of its syntax (YAML_SYNTAX), or FILE_EMPTY. */
export function readYaml(file: string, text: string): Yaml {
  const counter = new LineCounter()
  const doc = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false })
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const faults = doc.errors.map(
    (error): Trouble => ({ code: 'YAML_SYNTAX', message: `not YAML: ${error.message}`, where: place(error.pos[0]) }),
  )
  if (faults.length > 0) throw new Failure(exits.badInput, faults)
  if (doc.contents === null || (isScalar(doc.contents) && doc.contents.value === null)) {
    throw new Failure(exits.badInput, { code: 'FILE_EMPTY', message: 'the file holds nothing', where: file })
  }
  const nodeAt = (path: Path) => find(doc, path)
  return {
    value: contentsOf(file, doc),
    at: (path) => {
      for (let n = path.length; n >= 0; n--) {
        const near = path.slice(0, n)
        const node = nodeAt(near)
        if (!node?.range) continue
        const isThere = n === path.length && !(isScalar(node) && node.value === null)
        return (isThere ? undefined : keyPlace(doc, near, place)) ?? place(node.range[0])
      }
      return file
    },
    atKey: (path) => keyPlace(doc, path, place) ?? file,
    written: (path) => {
      const node = nodeAt(path)
      return isScalar(node) ? node.source : undefined
    },
    twice: doubles(doc, place),
  }
}

function contentsOf(file: string, doc: Document): unknown {
  try {
    return doc.toJS()
  } catch (error) {
    throw new Failure(exits.badInput, {
      code: 'YAML_SYNTAX',
      message: `not YAML: ${(error as Error).message}`,
      where: file,
    })
  }
}

/** The node at a path. Of a key that stands twice it is the last, as for the value. */
function find(doc: Document, path: Path): Node | undefined {
  let at: unknown = doc.contents
  for (const key of path) {
    const inside: unknown = isAlias(at) ? at.resolve(doc) : at
    at = isMap(inside) ? pairOf(inside, key)?.value : isSeq(inside) ? inside.items[Number(key)] : undefined
  }
  return isNode(at) ? at : undefined
}

function pairOf(map: YAMLMap, key: PropertyKey | undefined): Pair | undefined {
  return map.items.findLast((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
}

function keyPlace(doc: Document, path: Path, place: (offset: number) => string): string | undefined {
  const parent = find(doc, path.slice(0, -1))
  const key = path.length > 0 && isMap(parent) ? pairOf(parent, path.at(-1))?.key : undefined
  return isScalar(key) && key.range ? place(key.range[0]) : undefined
}

function doubles(doc: Document, place: (offset: number) => string): Yaml['twice'] {
  const found: { path: string[]; where: string; first: string }[] = []
  visit(doc, {
    Map(_, map, ancestors) {
      const above = ancestors.flatMap((a) => (isPair(a) && isScalar(a.key) ? [String(a.key.value)] : []))
      const seen = new Map<string, string>()
      for (const { key } of map.items) {
        if (!isScalar(key) || !key.range) continue
        const name = String(key.value)
        const where = place(key.range[0])
        const first = seen.get(name)
        if (first) found.push({ path: [...above, name], where, first })
        else seen.set(name, where)
      }
    },
  })
  return found
}
