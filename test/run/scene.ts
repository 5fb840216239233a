import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Action, JournalEntry } from '../../src/model/action.ts'
import type { RunEvent } from '../../src/model/event.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { HostStage, Playbook } from '../../src/model/plan.ts'
import type { Hands } from '../../src/model/ports.ts'
import { Secret } from '../../src/model/secret.ts'
import { type Site, type Step, step } from '../../src/model/step.ts'
import { gather, questionsOf } from '../../src/plan/gather.ts'
import { stepsOn } from '../../src/plan/make.ts'
import { readJournal } from '../../src/run/script.ts'
import type { Means } from '../../src/run/task.ts'
import { runUp } from '../../src/run/up.ts'
import { windowOf } from '../../src/run/window.ts'
import { connect } from '../../src/ssh/connect.ts'
import { type Sshd, startSshd } from '../helpers/sshd.ts'

/**
 * Whole runs over real sshds: three "hosts" that share this machine's files but /run, /var/lib and /etc/ssh, each with a directory
 * of its own. Who may log in stands in /etc/ssh/keys of the host, so that a change can lock out.
 */

const apart = `mount -t tmpfs run /run && mkdir /run/sshd && mount -t tmpfs lib /var/lib && mount -t tmpfs ssh /etc/ssh || exit
for f; do :; done
cp "\${f%/*}/authorized_keys" /etc/ssh/keys
exec "$@"`

export const token = 'abcdef.0123456789abcdef'

export interface Scene {
  /** Where the effects of the hosts' actions lie: DIR/HOST/…, and the order of all of them in DIR/order. */
  readonly dir: string
  readonly hosts: Host[]
  readonly hands: Map<Host, Hands>
  readonly sshds: Record<string, Sshd>
  /** Runs a playbook from a picture taken now. */
  run(book: Playbook, steps: Record<string, Step>, change?: Change): Promise<Ran>
  hand(name: string): Hands
  /** What a host says to a command. */
  ask(name: string, script: string): Promise<string>
  journal(name: string): Promise<JournalEntry[]>
  /** A step that makes a file which says 1. */
  touch(name: string, over?: (site: Site) => Partial<Record<string, unknown>>): Step
  has(path: string): boolean
  /** The lines of the order file. */
  order(): string[]
}

export interface Change {
  signal?: AbortSignal
  onEvent?: (event: RunEvent) => void
  means?: Partial<Means>
  permit?: (planned: HostStage) => void
}

export interface Ran {
  report: Awaited<ReturnType<typeof runUp>>
  events: RunEvent[]
  outcomes: Record<string, string>
}

/** Three sshds for all tests of a file. */
export async function startHosts(): Promise<Record<string, Sshd>> {
  const names = ['cp1', 'w1', 'w2']
  const config = ['MaxSessions 10', 'AuthorizedKeysFile /etc/ssh/keys']
  const sshds = await Promise.all(names.map(() => startSshd(config, ['unshare', '-m', 'sh', '-c', apart, 'sh'])))
  return Object.fromEntries(names.map((name, i) => [name, sshds[i]!]))
}

/** A fresh scene for one test; `port` may put something between us and a host. */
export async function openScene(
  sshds: Record<string, Sshd>,
  port: (name: string) => number | undefined = () => undefined,
) {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-run-'))
  const hosts = Object.entries(sshds).map(([name, sshd]) =>
    sshd.host({ name, role: name === 'cp1' ? 'control-plane' : 'worker', ...(port(name) && { port: port(name)! }) }),
  )
  for (const { name } of hosts) mkdirSync(`${dir}/${name}`)
  const hands = new Map(await Promise.all(hosts.map(async (host) => [host, await connect(host)] as const)))
  const hand = (name: string) => hands.get(hosts.find((host) => host.name === name)!)!
  const scene: Scene = {
    dir,
    hosts,
    hands,
    sshds,
    hand,
    run: (book, steps, change = {}) => run(scene, book, steps, change),
    ask: async (name, script) => (await hand(name).look(script)).out,
    journal: async (name) => readJournal((await hand(name).look('cat /var/lib/k8snet/journal || :')).out),
    touch: (name, over) => touch(dir, name, over),
    has: (path) => existsSync(`${dir}/${path}`),
    order: () => readFileSync(`${dir}/order`, 'utf8').trim().split('\n'),
  }
  return scene
}

/** Nothing is left on the hosts for the next test, whatever stood between them and this one, and whatever became of its connections. */
export async function closeScene({ hands, sshds, dir }: Scene): Promise<void> {
  for (const hand of hands.values()) hand.close()
  const clear = async (sshd: Sshd) => {
    const hand = await connect(sshd.host())
    await hand.change('rm -rf /var/lib/k8snet /run/k8snet')
    hand.close()
  }
  await Promise.all(Object.values(sshds).map(clear))
  rmSync(dir, { recursive: true, maxRetries: 10 })
}

function touch(dir: string, name: string, over: (site: Site) => Partial<Record<string, unknown>> = () => ({})): Step {
  return step({
    title: name,
    asks: ({ host }) => ({
      there: { ask: `cat ${dir}/${host.name}/${name} 2>/dev/null || :`, parse: (out: string) => out },
    }),
    plan: ({ there }, site) =>
      there === '1\n'
        ? []
        : [
            {
              kind: 'exec',
              summary: `make ${name}`,
              command: `echo ${name} >>${dir}/order; echo 1 >${dir}/${site.host.name}/${name}`,
              timeoutSeconds: 120,
              undo: 'nothing',
              ...over(site),
            } as Action,
          ],
  }) as unknown as Step
}

/** A step that plans these actions whatever is there, once: until the file `done` is on the host. */
export function once(dir: string, actions: (site: Site) => Action[]): Step {
  return step({
    title: 'once',
    asks: ({ host }) => ({
      done: { ask: `cat ${dir}/${host.name}/done 2>/dev/null || :`, parse: (out: string) => out },
    }),
    plan: ({ done }, site) =>
      done === ''
        ? [
            ...actions(site),
            {
              kind: 'exec',
              summary: 'be done',
              command: `echo 1 >${dir}/${site.host.name}/done`,
              timeoutSeconds: 120,
              undo: 'nothing',
            },
          ]
        : [],
  }) as unknown as Step
}

export const playbook = (...stages: Partial<Playbook['stages'][number]>[]): Playbook => ({
  stages: stages.map((stage) => ({
    name: '',
    title: stage.name ?? '',
    hosts: 'all',
    after: [],
    steps: [stage.name!],
    ...stage,
  })),
})

async function run(
  { dir, hosts, hands }: Scene,
  book: Playbook,
  steps: Record<string, Step>,
  change: Change,
): Promise<Ran> {
  const inventory = { file: '', cluster: {}, source: { bundle: '' }, hosts } as unknown as Inventory
  const sites = hosts.map(
    (host) => ({ host, inventory, hosts, bundle: {}, token: new Secret(token) }) as unknown as Site,
  )
  const look = async (site: Site) => {
    const facts = questionsOf(stepsOn(book, site).map((name) => steps[name]!.asks(site)))
    return [site.host, await gather(hands.get(site.host)!, facts)] as const
  }
  const answers = new Map(await Promise.all(sites.map(look)))
  const events: RunEvent[] = []
  const tar = () => {
    const bytes = execFileSync('tar', ['-C', `${dir}/bundle`, '-cf', '-', '.'], { maxBuffer: 1e9 })
    const chunks = Array.from({ length: Math.ceil(bytes.length / 65536) }, (_, i) =>
      bytes.subarray(i * 65536, (i + 1) * 65536),
    )
    return { size: bytes.length, stream: Readable.from(chunks) }
  }
  const means: Means = {
    prelude: readFileSync('templates/prelude.sh', 'utf8'),
    store: { files: tar, images: tar },
    uploads: windowOf(2),
    emit: (event) => {
      events.push(event)
      change.onEvent?.(event)
    },
    signal: change.signal ?? new AbortController().signal,
    mask: (text) => text.replaceAll(token, '***'),
    patienceMs: 90_000,
    ...change.means,
  }
  const clock = () => performance.now()
  const { permit } = change
  const input = { inventory, playbook: book, steps, sites, hands, answers, means, clock }
  const report = await runUp({ ...input, ...(permit && { permit }) })
  return { report, events, outcomes: Object.fromEntries(report.hosts.map(({ name, outcome }) => [name, outcome])) }
}
