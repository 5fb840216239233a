import { container } from '../facts/container.ts'
import { files, linesOf, paths } from '../facts/files.ts'
import { swaps } from '../facts/swaps.ts'
import { stateOf, type Unit, units } from '../facts/units.ts'
import type { Action } from '../model/action.ts'
import { step } from '../model/step.ts'
import { linesAre } from './files.ts'

/** Services that make compressed swap in memory. */
const zramServices = ['zramswap.service', 'zram-config.service']

/**
 * No swap, now and at boot: the kubelet refuses to start with it. A container's swap is the machine's and not ours to switch
 * off; there the kubelet is told to live with it (step kubelet).
 */
export const swap = step({
  title: 'Swap is off, now and at boot',
  asks: () => ({ swaps, files, units, container }),
  plan: ({ swaps, files, units, container }) => {
    if (container) return []
    const zram = zramServices.filter((name) => units.get(name)?.active || units.get(name)?.enabled === 'enabled')
    const areas = swaps.filter(({ path }) => zram.length === 0 || !path.startsWith('/dev/zram'))
    const off: Action[] = areas.length === 0 ? [] : [{ kind: 'swap', was: areas }]
    return [
      ...zram.map(
        (unit): Action => ({
          kind: 'service',
          unit,
          was: stateOf(units, unit),
          want: { enabled: 'disabled', active: false },
        }),
      ),
      ...off,
      ...linesAre(
        paths.fstab,
        linesOf(files, paths.fstab)
          .filter(isSwap)
          .map((line) => ({ was: line, want: `# k8snet: ${line}` })),
      ),
      ...[...units]
        .filter(([name, unit]) => name.endsWith('.swap') && comesBack(unit))
        .map(([unit]): Action => ({ kind: 'service', unit, was: stateOf(units, unit), want: { enabled: 'masked' } })),
    ]
  },
})

/** An fstab line whose third field is swap. */
function isSwap(line: string): boolean {
  return !line.trimStart().startsWith('#') && line.trim().split(/\s+/)[2] === 'swap'
}

/** A swap unit that brings the area back at boot, other than by fstab: its own unit file, or a generator's (GPT, zram). */
function comesBack({ enabled, fragment, source }: Unit): boolean {
  return enabled !== 'masked' && fragment !== '' && source !== paths.fstab
}
