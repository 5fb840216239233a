/** Lets at most `size` pieces of work go on at once; the others wait in order. */
export interface Window {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function windowOf(size: number): Window {
  let free = size
  const waiting: (() => void)[] = []
  return {
    async run(work) {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free += 1
      }
    },
  }
}
