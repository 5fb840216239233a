import type { Fact } from '../model/fact.ts'

/**
 * The script that runs on the host apart from any connection, or null: an earlier run's, whose controller was killed or has lost
 * the host. It holds /run/k8snet/job.lock, and has written its id there (templates/job-run.sh).
 */
export const job: Fact<{ readonly id: string } | null> = {
  ask: `lock=/run/k8snet/job.lock
if [ -e "$lock" ] && ! flock -n "$lock" true; then
  read -r id <"$lock" || :
  echo "job $id"
fi`,
  parse: (out) => {
    const found = /^job (.*)$/m.exec(out)
    return found ? { id: found[1]! } : null
  },
}
