import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { exits, Failure, type Trouble } from '../model/trouble.ts'

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

/** Reads a YAML document. Failure (exit 2) YAML_SYNTAX with every fault. */
export function readPlaces(file: string, content: string): Place {
  const counter = new LineCounter()
  const doc = parseDocument(content, { lineCounter: counter, prettyErrors: false })
  const at = (offset: number) => {
    const { line, col } = counter.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const faults = doc.errors.map(
    (error): Trouble => ({ code: 'YAML_SYNTAX', message: `not YAML: ${error.message}`, where: at(error.pos[0]) }),
  )
  if (faults.length > 0) throw new Failure(exits.badInput, faults)
  const place = (node: Node | undefined, near: string, key?: Node): Place => {
    const start = (key ?? node)?.range?.[0]
    const where = start === undefined ? near : at(start)
    return {
      where,
      get: (name) => {
        const pair = isMap(node)
          ? (node.items as Pair[]).findLast((it) => isScalar(it.key) && it.key.value === name)
          : undefined
        const value = isNode(pair?.value) ? pair.value : undefined
        return place(value, where, isNode(pair?.key) ? pair.key : undefined)
      },
      items: () => (isSeq(node) ? node.items.flatMap((it) => (isNode(it) ? [place(it, where)] : [])) : []),
      value: () => (isScalar(node) ? node.value : node?.toJS(doc)),
      text: () => (isScalar(node) && node.value !== null && node.value !== '' ? String(node.value) : undefined),
    }
  }
  return place(doc.contents ?? undefined, file)
}
