import { clock } from '../../facts/machine.ts'
import { guard } from '../../model/step.ts'

/** Seconds that clocks may seem apart: hosts are asked side by side but not at the very same moment. */
const allowed = 5

/** Certificates and leases need clocks that agree. */
export const clocks = guard({
  title: 'The clocks of the hosts agree',
  asks: () => ({ clock }),
  look: (all) => {
    const sorted = [...all.values()].map(({ clock }) => clock).toSorted((a, b) => a - b)
    const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
    return [...all]
      .filter(([, { clock }]) => Math.abs(clock - middle) > allowed)
      .map(([host, { clock }]) => ({
        code: 'CLOCK_SKEW',
        message: `the clock of ${host.name} is ${Math.abs(clock - middle).toFixed(0)} s ${clock > middle ? 'ahead' : 'behind'}`,
        where: host.name,
        evidence: [{ source: 'date', line: new Date(clock * 1000).toISOString() }],
        fix: 'run a time service on every host (chrony or systemd-timesyncd) and let it set the clock',
      }))
  },
})
