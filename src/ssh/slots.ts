/** A count of things that may be open at once, and the line of those that wait for one. */
export interface Slots {
  /** Calls `go` as soon as one is free; the returned function steps out of the line. */
  take(go: () => void): () => void
  free(): void
}

export function slots(count: number): Slots {
  let left = count
  const line: (() => void)[] = []
  return {
    take(go) {
      if (left > 0) {
        left--
        go()
      } else line.push(go)
      return () => {
        const i = line.indexOf(go)
        if (i >= 0) line.splice(i, 1)
      }
    },
    free() {
      const next = line.shift()
      if (next) next()
      else left++
    },
  }
}

/** Lets work take its turn: `count` of it at a time. */
export function turns(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const { take, free } = slots(count)
  return async (work) => {
    await new Promise<void>((go) => {
      take(go)
    })
    try {
      return await work()
    } finally {
      free()
    }
  }
}
