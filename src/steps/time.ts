import { container } from '../facts/container.ts'
import { absent, stateOf, timeKeepers, units } from '../facts/units.ts'
import { step } from '../model/step.ts'

/** A time service runs where one is installed. In a container the clock is the machine's; that clocks agree is a guard. */
export const time = step({
  title: 'The clock is kept by a time service, where one is installed',
  asks: () => ({ units, container }),
  plan: ({ units, container }) => {
    const here = timeKeepers.filter((name) => (units.get(name) ?? absent).fragment !== '')
    const first = here[0]
    const kept = here.some((name) => units.get(name)?.active && units.get(name)?.enabled === 'enabled')
    if (container || first === undefined || kept) return []
    const unit = here.find((name) => units.get(name)?.active) ?? first
    return [{ kind: 'service', unit, was: stateOf(units, unit), want: { enabled: 'enabled', active: true } }]
  },
})
