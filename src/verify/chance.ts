/**
 * Which of these counts does not fit equal shares? The index of the least likely one when a count as far off would come by
 * chance less often than `alpha` in all, else null. Exact: each count is binomial, and Bonferroni covers that there are several.
 */
export function uneven(counts: readonly number[], alpha: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const k = counts.length
  if (k < 2 || total === 0) return null
  const tails = counts.map(
    (count) => 2 * Math.min(atMost(count, total, 1 / k), atMost(total - count, total, 1 - 1 / k)),
  )
  const least = Math.min(...tails)
  return least < alpha / k ? tails.indexOf(least) : null
}

/** P(X <= x) of a binomial of n draws with probability p. */
export function atMost(x: number, n: number, p: number): number {
  let term = n * Math.log1p(-p)
  let sum = Math.exp(term)
  for (let i = 1; i <= x; i += 1) {
    term += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p)
    sum += Math.exp(term)
  }
  return Math.min(1, sum)
}
