import type { UnitState } from '../model/action.ts'
import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/** Services that keep time, the better ones first. */
export const timeKeepers = [
  'chrony.service',
  'chronyd.service',
  'systemd-timesyncd.service',
  'ntpsec.service',
  'ntp.service',
  'ntpd.service',
] as const

/** Every unit that a step asks for; swap units are found by their pattern. */
const asked = [
  'containerd.service',
  'kubelet.service',
  'firewalld.service',
  'nftables.service',
  'k8snet-firewall.service',
  'systemd-resolved.service',
  ...timeKeepers,
  'zramswap.service',
  'zram-config.service',
] as const

export interface Unit extends UnitState {
  /** Where its unit file lies; empty for a unit that has none. */
  readonly fragment: string
  /** What a generator made it from: /etc/fstab */
  readonly source: string
}
export type Units = ReadonlyMap<string, Unit>

/** Where systemd looks for unit files (systemd.unit(5), "Unit File Load Path"). */
const places = [
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/run/systemd/system',
  '/run/systemd/generator',
  '/run/systemd/generator.late',
  '/run/systemd/generator.early',
  '/run/systemd/transient',
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/etc/systemd/system.attached',
  '/run/systemd/system.attached',
] as const

/**
 * systemd's view of the units above and of every swap unit, in one call. Aliases are found by each of their names. systemd reads
 * a unit's files anew for every question after one that has none, half a millisecond each; so such a one is asked for by a
 * pattern, which finds it only where it is loaded without a file.
 */
export const units: Fact<Units> = {
  ask: sh`[ -d /run/systemd/system ] || exit 0
set -- '*.swap'
for unit in ${asked}; do
  name="$\{unit%.service}.servic[e]"
  for place in ${places}; do
    [ ! -e "$place/$unit" ] || { name=$unit; break; }
  done
  set -- "$@" "$name"
done
systemctl show -p Id,Names,LoadState,UnitFileState,ActiveState,FragmentPath,SourcePath -- "$@"`,
  parse: (out) =>
    new Map(
      out
        .split(/\n{2,}/)
        .map(properties)
        .flatMap((unit): [string, Unit][] => {
          const names = new Set([unit.Id ?? '', ...(unit.Names ?? '').split(' ')])
          return [...names].filter((name) => name !== '').map((name) => [name, unitOf(unit)])
        }),
    ),
}

/** A unit of which systemd knows nothing. */
export const absent: Unit = { enabled: 'absent', active: false, fragment: '', source: '' }

function properties(block: string): Record<string, string> {
  return Object.fromEntries(
    block
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

function unitOf(unit: Record<string, string>): Unit {
  return {
    enabled: enabledOf(unit.LoadState ?? '', unit.UnitFileState ?? ''),
    active: ['active', 'activating', 'reloading'].includes(unit.ActiveState ?? ''),
    fragment: unit.FragmentPath ?? '',
    source: unit.SourcePath ?? '',
  }
}

function enabledOf(load: string, file: string): UnitState['enabled'] {
  if (load === 'masked' || file.startsWith('masked')) return 'masked'
  if (load === 'not-found') return 'absent'
  if (file.startsWith('enabled')) return 'enabled'
  return file === 'disabled' ? 'disabled' : 'static'
}

/** What an action on a unit says was there before. */
export function stateOf(found: Units, unit: string): UnitState {
  const { enabled, active } = found.get(unit) ?? absent
  return { enabled, active }
}
