import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { run } from './cli.ts'
import { inventory } from './lab.ts'

interface Door {
  readonly address: string
  readonly port: number
  readonly user: string
  readonly key: string
}

export interface Doors {
  readonly tries: () => number
  /** Whoever was not let in: when, where, and what ssh said. */
  readonly refusals: () => readonly string[]
  close(): Promise<void>
}

/** Opens a new SSH connection to every host of the lab twice a second, with the system's ssh, until it is closed; one at a time. */
export function watchDoors(): Doors {
  const hosts = Object.entries((parse(readFileSync(inventory, 'utf8')) as { hosts: Record<string, Door> }).hosts)
  const refusals: string[] = []
  const under = new Map<string, Promise<unknown>>()
  let tries = 0
  const knock = async ([name, { address, port, user, key }]: [string, Door]) => {
    const options = {
      ...{ UserKnownHostsFile: 'vagrant/known_hosts', GlobalKnownHostsFile: '/dev/null', StrictHostKeyChecking: 'yes' },
      ...{ IdentitiesOnly: 'yes', PasswordAuthentication: 'no', LogLevel: 'ERROR', ConnectTimeout: '60' },
    }
    const words = Object.entries(options).flatMap(([option, value]) => ['-o', `${option}=${value}`])
    const ended = await run('ssh', [
      '-F',
      '/dev/null',
      ...words,
      '-i',
      key,
      '-p',
      `${port}`,
      `${user}@${address}`,
      'true',
    ])
    tries += 1
    if (ended.code !== 0) refusals.push(`${new Date().toISOString()} ${name}: ${ended.err.trim()}`)
  }
  const timer = setInterval(() => {
    for (const host of hosts) {
      if (!under.has(host[0]))
        under.set(
          host[0],
          knock(host).finally(() => under.delete(host[0])),
        )
    }
  }, 500)
  return {
    tries: () => tries,
    refusals: () => refusals,
    close: async () => {
      clearInterval(timer)
      await Promise.all(under.values())
    },
  }
}
