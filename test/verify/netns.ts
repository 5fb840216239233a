import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * Real hosts in miniature: a client and two servers, each in a network namespace of its own, with a router between them.
 *
 *   client 10.9.1.2 -- 10.9.1.1 router 10.9.2.1 -- 10.9.2.2 one
 *                                      10.9.3.1 -- 10.9.3.2 two
 *
 * The router plays Service 10.96.0.7 by DNAT to both servers in equal shares. Names are unique per run.
 */
export const addresses = { client: '10.9.1.2', one: '10.9.2.2', two: '10.9.3.2', service: '10.96.0.7' } as const
export const port = 18420
type Member = 'client' | 'one' | 'two' | 'router'

export interface Wires {
  name(member: Member): string
  /** Runs a command line in a member's namespace; throws if it fails. */
  run(member: Member, command: string): string
  /** Takes back what other command lines made, as far as they came. */
  undo(member: Member, ...commands: string[]): void
  remove(): void
}

export function layWires(): Wires {
  const run = randomBytes(3).toString('hex')
  const name = (member: Member) => `k8snet-t${run}-${member}`
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  const inside = (member: Member, command: string) =>
    ip('netns', 'exec', name(member), ...command.split(' ').filter((word) => word !== ''))
  const members: Member[] = ['router', 'client', 'one', 'two']
  const remove = () => {
    for (const member of members) {
      try {
        ip('netns', 'delete', name(member))
      } catch {
        // it was never made
      }
    }
  }
  try {
    for (const member of members) {
      // One at a time: whoever is the first on a machine makes a mount of /run/netns.
      execFileSync('flock', ['/run', 'ip', 'netns', 'add', name(member)], { stdio: ['ignore', 'pipe', 'pipe'] })
      inside(member, 'ip link set lo up')
      inside(member, 'sysctl -qw net.ipv4.icmp_ratelimit=0')
    }
    for (const [index, member] of (['client', 'one', 'two'] as const).entries()) {
      const net = `10.9.${index + 1}`
      inside('router', `ip link add to-${member} type veth peer name eth0 netns ${name(member)}`)
      inside('router', `ip addr add ${net}.1/24 dev to-${member}`)
      inside('router', `ip link set to-${member} up`)
      inside(member, `ip addr add ${net}.2/24 dev eth0`)
      inside(member, 'ip link set eth0 up')
      inside(member, `ip route add default via ${net}.1`)
    }
    inside('router', 'sysctl -qw net.ipv4.ip_forward=1')
    for (const protocol of ['tcp', 'udp']) {
      const to = `iptables -t nat -A PREROUTING -d ${addresses.service} -p ${protocol} --dport ${port}`
      inside('router', `${to} -m statistic --mode random --probability 0.5 -j DNAT --to ${addresses.one}`)
      inside('router', `${to} -j DNAT --to ${addresses.two}`)
    }
  } catch (cause) {
    remove()
    throw cause
  }
  const undo = (member: Member, ...commands: string[]) => {
    for (const command of commands)
      try {
        inside(member, command)
      } catch {
        // it was never made
      }
  }
  return { name, run: inside, undo, remove }
}

export const python = ['python3', '-I', '-S', template('probe.py')]
export const perl = ['perl', template('probe.pl')]
export const programs = { python, perl } as const
export type Language = keyof typeof programs

export function template(file: string): string {
  return fileURLToPath(new URL(`../../templates/${file}`, import.meta.url))
}

export interface Running {
  readonly stop: () => Promise<void>
}

/** Starts a program in a namespace and waits for the line that says it is ready. */
export async function start(wires: Wires, member: Member, command: readonly string[]): Promise<Running> {
  const child = spawn('ip', ['netns', 'exec', wires.name(member), ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const ended = once(child, 'close')
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (/^ready/m.test(said)) resolve()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.once('close', () => reject(new Error(`${command.join(' ')} ended: ${said}`)))
  })
  return {
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** A probe that gets an answer has so many seconds of its own for it: the machine may be busy. What gets none costs 1.5 s. */
export const patience = 20

/**
 * Runs the client program with these probes and returns its lines by probe id, without the milliseconds. `onSign`: the first
 * time that a probe says that it is under way; `seconds`: what a probe has that has no time of its own.
 */
export async function ask(
  wires: Wires,
  language: Language | readonly string[],
  probes: readonly string[],
  { onSign = () => {}, seconds = 1.5 }: { onSign?: () => void; seconds?: number } = {},
): Promise<Map<string, string>> {
  const command = typeof language === 'string' ? programs[language] : language
  const child = spawn('ip', ['netns', 'exec', wires.name('client'), ...command, 'client', `${seconds}`])
  let out = ''
  let err = ''
  let signed = false
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    if (signed || !/^s \d+$/m.test(out)) return
    signed = true
    onSign()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  child.stdin.end(`${probes.join('\n')}\n`)
  await once(child, 'close')
  const lines = out.trimEnd().split('\n')
  if (err !== '' || lines.at(-1) !== `end ${probes.length}`) throw new Error(`${out}\n${err}`)
  return new Map(lines.slice(0, -1).map((line) => [line.split(' ')[1] ?? '', line.replace(/^r \d+ (\S+) \d+/, '$1')]))
}
