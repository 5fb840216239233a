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

  compile: (action) => ['reload_units', ...commands(action)].join('\n'),

  undo: ({ unit, was, want }) => {
    const enabled = want.enabled === undefined ? undefined : restorable(was)
    const active = want.active === undefined ? undefined : was.active
    if (enabled === undefined && active === undefined) return []
    return [
      {
        kind: 'service',
        unit,
        was: { enabled: want.enabled ?? was.enabled, active: want.active ?? was.active },
        want: { ...(enabled && { enabled }), ...(active !== undefined && { active }) },
      },
    ]
  },
}

function words({ want, restart }: ServiceAction): string[] {
  return [
    ...(want.enabled ? [want.enabled] : []),
    ...(restart ? ['restarted'] : want.active === undefined ? [] : [want.active ? 'started' : 'stopped']),
  ]
}

function commands({ unit, was, want, restart }: ServiceAction): string[] {
  const stop = want.active === false ? [sh`systemctl stop ${unit}`] : []
  const unmask =
    was.enabled === 'masked' && want.enabled !== 'masked' && want.enabled ? [sh`systemctl unmask ${unit}`] : []
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
