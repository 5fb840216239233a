import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFailed, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { k8snet, run } from '../helpers/cli.ts'
import { fault } from '../helpers/fault.ts'
import { inventory, json, onHost, planned } from '../helpers/lab.ts'
import { startProxy, type TcpProxy } from '../helpers/proxy.ts'

/**
 * Faults of real runs on real hosts: the way to one of them misbehaves, or the host does. Each round begins with a running
 * cluster that w2 has left; `up` is to bring it back in spite of the fault, or to say what is wrong and to end converged once
 * the fault is gone.
 */

interface Written {
  hosts: Record<string, { address: string; port: number; hostKey: string; [key: string]: unknown }>
}

let dir: string
let ports: Record<string, number>
let proxy: TcpProxy

beforeAll(async () => {
  const ended = await run('sh', ['vagrant/demo.sh'], { echo: true })
  expect(ended.code, ended.err).toBe(0)
  dir = mkdtempSync(join(tmpdir(), 'k8snet-faults-'))
  ports = Object.fromEntries(Object.entries(written().hosts).map(([name, { port }]) => [name, port]))
})
afterAll(async () => {
  await k8snet(['lab', 'down'])
  rmSync(dir, { recursive: true, force: true })
})

const written = (): Written => parse(readFileSync(inventory, 'utf8'))

/** The lab's inventory with some fields of one host changed; its path. */
function changed(host: string, change: Partial<Written['hosts'][string]>): string {
  const now = written()
  const file = join(dir, 'inventory.yaml')
  writeFileSync(file, stringify({ ...now, hosts: { ...now.hosts, [host]: { ...now.hosts[host], ...change } } }))
  return file
}

/** The lab's inventory with a host behind the proxy. */
const through = (host: string) => changed(host, { port: proxy.port })

interface Wanted {
  file?: string
  args?: string[]
  /** The line of progress that is waited for before `act`. */
  when?: RegExp
  act?: (child: ReturnType<typeof spawn>) => unknown
}

/** Runs `up`, lets something happen to it on the way, and says how it ended: exit status, and each host's code and place. */
async function up({ file = inventory, args = ['--only', 'w2'], when, act }: Wanted = {}): Promise<string> {
  const child = spawn(process.execPath, ['dist/cli.js', 'up', file, ...args, '--yes', '--no-verify', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  let [out, err, acted] = ['', '', false]
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
    if (!when?.test(err) || acted) return
    acted = true
    // In the middle of it, not at its edge.
    setTimeout(() => act?.(child), 400)
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  onTestFailed(() => console.error(out, err))
  if (when && !acted) return `exit ${code}, but the moment ${when.source} never came: ${err.slice(-500)}`
  return [`exit ${code}`, ...troubles(out)].join(', ')
}

interface Said {
  code: string
  where?: string
  message: string
  fix?: string
}

/** `CODE at PLACE` for every trouble of a report; one without a fix is a defect of the message. */
function troubles(out: string): string[] {
  if (!out) return ['nothing printed']
  const report = JSON.parse(out) as { errors?: Said[]; hosts?: { error?: Said }[] }
  const all = report.errors ?? report.hosts?.flatMap(({ error }) => (error ? [error] : [])) ?? []
  return all.map(({ code, where = 'nowhere', fix }) => `${code} at ${where}${fix ? '' : ' WITHOUT A FIX'}`)
}

/** Whatever came before: the next `up` without the fault ends with nothing left to do. */
async function thenConverges(): Promise<string> {
  const ended = await up()
  const left = await planned()
  return `then ${[ended, ...left].join(', ')}`
}

const without = async (host: string) => {
  const { code, json: report } = await json('down', inventory, '--only', host, '--yes')
  expect(code, JSON.stringify(report)).toBe(0)
}

/** Does something to a host as long as the work goes on. */
async function broken(host: string, make: string, undo: string, work: () => Promise<string>): Promise<string> {
  const made = await onHost(host, make)
  expect(made.code, made.err).toBe(0)
  try {
    return await work()
  } finally {
    const undone = await onHost(host, undo)
    if (undone.code !== 0) console.error(`${host} could not be mended: ${undone.err}`)
  }
}

const restart = async (host: string) => {
  const { out } = await run('docker', ['ps', '-q', '--filter', `publish=${ports[host]}`])
  await run('docker', ['restart', '-t', '2', out.trim()])
}

describe('the way to a host', () => {
  beforeEach(async () => {
    await without('w2')
    proxy = await startProxy(ports.w2!)
  })
  afterEach(() => proxy.close())

  for (const stage of ['prepare', 'images', 'join'])
    for (const [how, act] of [
      ['is cut', () => proxy.cutAfter(0)],
      ['is reset', () => proxy.reset()],
      ['falls silent for 20 s', () => silent(20_000)],
    ] as const)
      fault(`${how} during ${stage}`, 'exit 0, nothing left', async () => {
        const ended = await up({ file: through('w2'), when: new RegExp(`w2: ${stage} begins`), act })
        return [ended, ...(await leftovers())].join(', ')
      })

  fault('has 300 ms of delay', 'exit 0, nothing left', async () => {
    proxy.delay(150)
    return [await up({ file: through('w2') }), ...(await leftovers())].join(', ')
  })

  fault('passes one byte at a time', 'exit 0, nothing left', async () => {
    expect(await up()).toBe('exit 0')
    proxy.slow()
    return [await up({ file: through('w2') }), ...(await leftovers())].join(', ')
  })

  fault('is refused now and then', 'exit 0, nothing left', async () => {
    proxy.refuse(2)
    return [await up({ file: through('w2') }), ...(await leftovers())].join(', ')
  })
})

/** Nothing passes for so long, in neither direction, and nobody is told. */
function silent(ms: number): void {
  const it = proxy
  it.stall()
  setTimeout(() => it.heal(), ms)
}

/** What the plan of all hosts wants after a run. */
async function leftovers(): Promise<string[]> {
  const left = await planned()
  return left.length === 0 ? ['nothing left'] : left
}

describe('the way to the control plane', () => {
  beforeEach(async () => {
    proxy = await startProxy(ports.cp1!)
    const { code, json: report } = await json('down', inventory, '--yes')
    expect(code, JSON.stringify(report)).toBe(0)
  })
  afterEach(() => proxy.close())

  for (const stage of ['init', 'network', 'ready'])
    fault(`is cut during ${stage}`, 'exit 0, nothing left', async () => {
      const file = through('cp1')
      const when = new RegExp(`cp1: ${stage} begins`)
      return [await up({ file, args: [], when, act: () => proxy.cutAfter(0) }), ...(await leftovers())].join(', ')
    })
})

describe('a host', () => {
  beforeEach(() => without('w2'))

  fault('is restarted while it is prepared', 'exit 0, nothing left', async () =>
    [await up({ when: /w2: prepare begins/, act: () => restart('w2') }), ...(await leftovers())].join(', '),
  )

  fault('has its sshd restarted and all sessions ended', 'exit 0, nothing left', async () => {
    const kill = `systemctl restart ssh; pids=$(pgrep -f '^sshd: .*@'); kill $pids`
    return [await up({ when: /w2: prepare begins/, act: () => onHost('w2', kill) }), ...(await leftovers())].join(', ')
  })

  fault('allows one session per connection (MaxSessions 1)', 'exit 0, nothing left', () =>
    broken(
      'w2',
      'echo MaxSessions 1 >/etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh',
      'rm /etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh',
      async () => [await up(), ...(await leftovers())].join(', '),
    ),
  )

  fault('has a noexec /tmp', 'exit 0, nothing left', () =>
    broken('w2', 'mount -t tmpfs -o noexec,nosuid tmpfs /tmp', 'umount -l /tmp', async () =>
      [await up(), ...(await leftovers())].join(', '),
    ),
  )

  fault('has a profile that prints junk', 'exit 0, nothing left', () =>
    broken(
      'w2',
      `for f in .bashrc .profile; do cp -a /home/vagrant/$f /root/keep$f; sed -i '1i echo junk; echo more junk >&2' /home/vagrant/$f; done`,
      'for f in .bashrc .profile; do mv /root/keep$f /home/vagrant/$f; done',
      async () => [await up(), ...(await leftovers())].join(', '),
    ),
  )

  fault('has no room left on /var/lib/k8snet', 'exit 3, DISK_FULL at w2: artifacts, then exit 0', () =>
    broken(
      'w2',
      'mkdir -p /var/lib/k8snet && mount -t tmpfs -o size=64k tmpfs /var/lib/k8snet',
      'umount -l /var/lib/k8snet; rmdir /var/lib/k8snet',
      () => up(),
    ).then(async (seen) => `${seen}, ${await thenConverges()}`),
  )

  fault('has a read-only /etc', 'exit 3, READ_ONLY at w2, then exit 0', () =>
    broken('w2', 'mount --bind /etc /etc && mount -o remount,bind,ro /etc', 'umount -l /etc', () => up()).then(
      // Which step meets it first hangs on what the host has already.
      async (seen) => `${seen.replace(/(w2): [a-z-]+/, '$1')}, ${await thenConverges()}`,
    ),
  )

  fault('has a clock two hours off', 'exit 5, CLOCK_SKEW at w2, then exit 0', () =>
    broken(
      'w2',
      // Containers share the machine's clock, so it is the host's own `date` that is wrong.
      `printf '#!/bin/sh\\nexec /bin/date -d "2 hours ago" "$@"\\n' >/usr/local/sbin/date && chmod +x /usr/local/sbin/date`,
      'rm /usr/local/sbin/date',
      // With two hosts nobody could say whose clock is wrong.
      () => up({ args: [] }),
    ).then(async (seen) => `${seen}, ${await thenConverges()}`),
  )

  fault('wants a password for sudo', 'exit 3, SUDO_FAILED at w2, then exit 0', async () => {
    // Nobody can take it back by sudo, so the host does, when a file is there.
    const made = await onHost(
      'w2',
      `f=$(grep -l NOPASSWD /etc/sudoers.d/*); cp -a "$f" /root/sudoers; rm -f /tmp/mend
sed -i s/NOPASSWD:// "$f"
(for i in $(seq 3000); do [ ! -e /tmp/mend ] || break; sleep 0.2; done; cat /root/sudoers >"$f"; rm -f /root/sudoers /tmp/mend) >/dev/null 2>&1 &`,
    )
    expect(made.code, made.err).toBe(0)
    const seen = await up()
    await k8snet(['lab', 'ssh', 'w2', '--', 'touch', '/tmp/mend'])
    const mended = async () => expect((await onHost('w2', '[ ! -e /root/sudoers ]')).code).toBe(0)
    await vi.waitFor(mended, { timeout: 120_000, interval: 500 })
    return `${seen}, ${await thenConverges()}`
  })

  fault('shows another host key than the pinned one', 'exit 3, HOSTKEY_CHANGED at w2, then exit 0', async () => {
    const file = changed('w2', { hostKey: `SHA256:${'A'.repeat(43)}` })
    return `${await up({ file, args: [] })}, ${await thenConverges()}`
  })

  fault('is dead', 'exit 3, HOST_UNREACHABLE at w2, then exit 0', async () => {
    const file = changed('w2', { port: 1 })
    return `${await up({ file, args: [] })}, ${await thenConverges()}`
  })
})

describe('a run', () => {
  beforeEach(() => without('w2'))

  fault('is begun while another one works', 'exit 7, LOCKED at cp1; the first: exit 0, nothing left', async () => {
    let second: Promise<string> | undefined
    const first = await up({
      when: /w2: prepare begins/,
      act: () => {
        second = up()
      },
    })
    return `${await second}; the first: ${[first, ...(await leftovers())].join(', ')}`
  })

  fault('is interrupted once', 'exit 130, INTERRUPTED at cp1, INTERRUPTED at w2, then exit 0', async () => {
    const ended = await up({ when: /w2: images begins/, act: (child) => child.kill('SIGINT') })
    return `${ended}, ${await thenConverges()}`
  })

  fault('is interrupted twice', 'exit 130, nothing printed, then exit 0', async () => {
    const act = (child: ReturnType<typeof spawn>) => {
      let said = ''
      // Two that come at once are one: the second is sent when the first has been heard.
      const again = (data: Buffer) => {
        said += data
        if (!said.includes('once more to stop at once')) return
        child.stderr?.off('data', again)
        child.kill('SIGINT')
      }
      child.stderr?.on('data', again)
      child.kill('SIGINT')
    }
    return `${await up({ when: /w2: join begins/, act })}, ${await thenConverges()}`
  })

  fault('is killed with -9 and begun again at once', 'exit null, nothing printed, then exit 0', async () => {
    const ended = await up({ when: /w2: prepare begins/, act: (child) => child.kill('SIGKILL') })
    return `${ended}, ${await thenConverges()}`
  })

  fault('has a plan that is out of date', 'exit 8, PLAN_OUTDATED at w2: sysctls, then exit 0', async () => {
    const file = resolve(dir, 'plan.json')
    expect((await k8snet(['plan', inventory, '--only', 'w2', '--out', file])).code).toBe(0)
    return broken('w2', 'echo "# by hand" >>/etc/sysctl.d/90-k8snet.conf', 'true', () =>
      up({ args: ['--only', 'w2', '--plan', file] }),
    ).then(async (seen) => {
      await onHost('w2', 'rm -f /etc/sysctl.d/90-k8snet.conf')
      return `${seen}, ${await thenConverges()}`
    })
  })
})
