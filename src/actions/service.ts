import type { ServiceAction, UnitState } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** A systemd unit: what it does at boot, and now. */
export const service: KindOf<ServiceAction> = {
  show: (action) => ({
    summary: `${action.unit}: ${words(action).join(', ')}`,
    is: `${action.was.enabled}, ${action.was.active ? 'active' : 'inactive'}`,
    command: commands(action).join('; '),
  }),

  compile: (action) => ['reload_units', ...(action.ours ? carefully(action) : commands(action))].join('\n'),

  undo: (action) => {
    const { unit, was, want } = action
    const enabled = want.enabled === undefined ? undefined : restorable(was)
    const active = want.active === undefined ? undefined : was.active
    if (enabled === undefined && active === undefined) return []
    return [
      {
        kind: 'service',
        unit,
        was: { enabled: want.enabled ?? was.enabled, active: want.active ?? was.active },
        want: { ...(enabled && { enabled }), ...(active !== undefined && { active }) },
        ours: oursOf(action),
      },
    ]
  },

  thing: ({ unit }) => unit,
  merge: (first, later) => ({
    ...later,
    was: {
      enabled: first.want.enabled === undefined ? later.was.enabled : first.was.enabled,
      active: first.want.active === undefined ? later.was.active : first.was.active,
    },
    want: { ...first.want, ...later.want },
    ours: [...oursOf(first), ...oursOf(later)],
  }),
}

const oursOf = ({ ours, want }: ServiceAction): readonly string[] => ours ?? (want.enabled ? [want.enabled] : [])

/** Nothing for a unit that is no longer there, nor where somebody has set it to a third state since. */
function carefully(action: ServiceAction): string[] {
  const { unit, want, ours = [] } = action
  const third = ['enabled', 'disabled', 'masked'].filter((it) => it !== want.enabled && !ours.includes(it))
  return [
    sh`load=$(systemctl show -p LoadState --value ${unit}) boot=$(systemctl show -p UnitFileState --value ${unit})`,
    ...(want.enabled && third.length > 0 ? [`case $boot in ${third.join(' | ')}) changed "it is $boot" ;; esac`] : []),
    'if [ "$load" != not-found ]; then',
    ...commands(action),
    'fi',
  ]
}

function words({ want, restart }: ServiceAction): string[] {
  return [
    ...(want.enabled ? [want.enabled] : []),
    ...(restart ? ['restarted'] : want.active === undefined ? [] : [want.active ? 'started' : 'stopped']),
  ]
}

function commands({ unit, was, want, restart, ours }: ServiceAction): string[] {
  const stop = want.active === false ? [sh`systemctl stop ${unit}`] : []
  const masked = was.enabled === 'masked' || ours?.includes('masked')
  const unmask = masked && want.enabled && want.enabled !== 'masked' ? [sh`systemctl unmask ${unit}`] : []
  const boot = { enabled: 'enable', disabled: 'disable', masked: 'mask' }
  return [
    ...stop,
    ...unmask,
    ...(want.enabled ? [sh`systemctl ${boot[want.enabled]} --quiet ${unit}`] : []),
    ...(restart ? [sh`systemctl restart ${unit}`] : want.active ? [sh`systemctl start ${unit}`] : []),
  ]
}

/** A unit that was absent or static has no state at boot to give back but "disabled". */
function restorable(was: UnitState): 'enabled' | 'disabled' | 'masked' {
  return was.enabled === 'static' || was.enabled === 'absent' ? 'disabled' : was.enabled
}
