/** How long computing may hold up everything else: connections, signs of life, the view. */
const turnMs = 10

/** Await it before each of many quick pieces of work, whoever does them: now and then everything else gets its turn. */
export function turns(): () => Promise<void> {
  let until = performance.now() + turnMs
  let line = Promise.resolve()
  const next = async () => {
    if (performance.now() < until) return
    await new Promise((resolve) => setImmediate(resolve))
    until = performance.now() + turnMs
  }
  return () => {
    line = line.then(next)
    return line
  }
}

/** Does a quick piece of work for each item in order, and lets everything else have its turn in between. */
export async function inTurns<T, R>(items: Iterable<T>, work: (item: T) => R): Promise<R[]> {
  const turn = turns()
  const done: R[] = []
  for (const item of items) {
    await turn()
    done.push(work(item))
  }
  return done
}
