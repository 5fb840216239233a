import type { Fact } from '../model/fact.ts'

export interface Identity {
  readonly machineId: string
  /** Empty where the firmware has none or does not say. */
  readonly productUuid: string
  /** MAC addresses by interface: of real devices, and of whatever else is not made by a bridge or tunnel. */
  readonly macs: ReadonlyMap<string, string>
}

/** What must not be the same on two hosts. */
export const identity: Fact<Identity> = {
  ask: `grep -s '' /dev/null /etc/machine-id /sys/class/dmi/id/product_uuid /sys/class/net/*/address || :`,
  parse: (out) => {
    const found = new Map(
      out.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const macs = [...found]
      .filter(([path]) => path.startsWith('/sys/class/net/'))
      .map(([path, mac]): [string, string] => [path.split('/')[4]!, mac.toLowerCase()])
      .filter(([link, mac]) => /^(en|eth|wl|ib|bond)/.test(link) && mac !== '00:00:00:00:00:00')
    return {
      machineId: found.get('/etc/machine-id') ?? '',
      productUuid: (found.get('/sys/class/dmi/id/product_uuid') ?? '').toLowerCase(),
      macs: new Map(macs),
    }
  },
}
