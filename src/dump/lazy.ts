/** An object whose fields are worked out when they are first read, and then kept. */
export function lazily<T extends object>(fields: { readonly [K in keyof T]: () => T[K] }): T {
  const it = {} as T
  for (const key of Object.keys(fields) as (keyof T)[])
    Object.defineProperty(it, key, {
      enumerable: true,
      configurable: true,
      get() {
        const value = fields[key]()
        Object.defineProperty(it, key, { value, enumerable: true })
        return value
      },
    })
  return it
}

/**
 * Reads the lines of tables that are much alike. A thousand nodes say the same of each other a thousand times: each line is read
 * once and its value shared, and what a table has in common with the first large one is found by comparing long pieces of text.
 */
export function tableReader<T>(read: (line: string) => T): (text: string | undefined) => T[] {
  const known = new Map<string, T>()
  const valueFor = (line: string): T => {
    const before = known.get(line)
    if (before !== undefined) return before
    // a copy: a part of a string keeps the whole of it
    const own = Buffer.from(line).toString()
    const value = read(own)
    known.set(own, value)
    return value
  }
  let model: Model<T> | undefined
  return (text) => {
    if (!text) return []
    if (!model) {
      const values = lines(text).map(valueFor)
      if (values.length >= large) model = modelOf(text, valueFor)
      return values
    }
    return readLike(model, text, valueFor)
  }
}

/** From how many lines on a table is worth to be compared with. */
const large = 100

/** A table with where each of its lines begins, and their values. */
interface Model<T> {
  readonly text: string
  /** One more than lines: the last is where the text ends. */
  readonly starts: readonly number[]
  readonly values: readonly T[]
  readonly at: ReadonlyMap<string, number>
}

function modelOf<T>(text: string, valueFor: (line: string) => T): Model<T> {
  const rows = lines(text)
  const whole = `${rows.join('\n')}\n`
  const starts = [0]
  for (const row of rows) starts.push((starts.at(-1) ?? 0) + row.length + 1)
  return { text: whole, starts, values: rows.map(valueFor), at: new Map(rows.map((row, i) => [row, i])) }
}

function readLike<T>(model: Model<T>, text: string, valueFor: (line: string) => T): T[] {
  const values: T[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end < 0 ? text.length : end)
    const row = end < 0 ? undefined : model.at.get(line)
    if (row === undefined) {
      if (line !== '') values.push(valueFor(line))
      at += line.length + 1
      continue
    }
    const same = row + alike(model, row, text, at)
    for (let i = row; i < same; i += 1) values.push(model.values[i] as T)
    at += (model.starts[same] ?? 0) - (model.starts[row] ?? 0)
  }
  // a list that grew has room to spare; its copy has none
  return values.slice()
}

/** How many lines of the text, from `at` on, are those of the model from `row` on. At least the first one is. */
function alike<T>({ text: model, starts, values }: Model<T>, row: number, text: string, at: number): number {
  const from = starts[row] ?? 0
  const same = (n: number): boolean => {
    const to = starts[row + n] ?? 0
    return model.slice(from, to) === text.slice(at, at + to - from)
  }
  let [low, high] = [1, values.length - row]
  if (same(high)) return high
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (same(middle)) low = middle
    else high = middle
  }
  return low
}

/** The lines of a text that are not empty. */
export function lines(text: string | undefined): string[] {
  return text ? text.split('\n').filter((line) => line !== '') : []
}

/** A JSON list; empty where the text is none. */
export function list(text: string | undefined): Record<string, unknown>[] {
  if (!text?.trim()) return []
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
