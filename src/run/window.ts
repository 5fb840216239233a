/** Lets at most `size` pieces of work go on at once; the others wait in order. */
export interface Window {
  /** Urgent work is let in first, and while any of it goes on nothing else is let in. */
  run<T>(work: () => Promise<T>, urgent?: boolean): Promise<T>
}

export function windowOf(size: number): Window {
  const waiting: { urgent: boolean; enter: () => void }[] = []
  let inside = 0
  let urgentInside = 0

  function admit(): void {
    while (inside < size) {
      const urgent = waiting.findIndex((it) => it.urgent)
      const next = urgent >= 0 ? urgent : urgentInside > 0 ? -1 : 0
      const [chosen] = next < 0 ? [] : waiting.splice(next, 1)
      if (!chosen) return
      inside += 1
      if (chosen.urgent) urgentInside += 1
      chosen.enter()
    }
  }

  return {
    async run(work, urgent = false) {
      await new Promise<void>((enter) => {
        waiting.push({ urgent, enter })
        admit()
      })
      try {
        return await work()
      } finally {
        inside -= 1
        if (urgent) urgentInside -= 1
        admit()
      }
    },
  }
}
