/** How many seconds of computing work costs this process; what a busy machine gives to others meanwhile is not among them. */
export function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
