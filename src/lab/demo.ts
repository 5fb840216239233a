/**
 * The demo, a program of its own like cli.ts: installs what is missing, then does by the command line what a user would do.
 * usage: demo.js | demo.js down [--all]
 */
import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exits, Failure, lineOf } from '../model/trouble.ts'
import { labOf, paths } from './lab.ts'
import { buildNeeds, install, labNeeds } from './packages.ts'
import { chooseProvider, lookAtMachine } from './provider.ts'
import { readSettings } from './settings.ts'

const cli = fileURLToPath(new URL('../cli.js', import.meta.url))
const began = performance.now()
const stop = new AbortController()
// The commands that run get these signals themselves; this program ends when they have.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
const lab = labOf({
  env: process.env,
  home: homedir(),
  signal: stop.signal,
  say: (line) => process.stderr.write(`  ${line}\n`),
})
const inventory = relative(process.cwd(), paths.inventory(lab))

/** Ends the demo with the status of the command that failed. It has said why. */
class Ended extends Error {
  readonly status: number
  constructor(status: number) {
    super(`ended with ${status}`)
    this.status = status
  }
}

/** What is found out on the way. */
const found = { bundle: '' }

const steps: readonly { readonly title: string; readonly hint: string; readonly run: () => Promise<void> }[] = [
  {
    title: 'Tools',
    hint: 'about 1 min where all are missing',
    run: async () => {
      const provider = (await readSettings(lab))?.provider ?? chooseProvider(await lookAtMachine(lab))
      const installed = await install(lab, [...labNeeds[provider], ...buildNeeds])
      lab.say(installed.length > 0 ? `installed ${installed.join(', ')}` : `all there; the hosts run on ${provider}`)
    },
  },
  {
    title: 'Hosts',
    hint: 'about 1 min the first time, later 15 s',
    run: async () => {
      const up = JSON.parse(await k8snet(['lab', 'up', '-o', 'json'], 'read')) as {
        bundle: string
        changed: boolean
        hosts: { name: string }[]
      }
      found.bundle = up.bundle
      lab.say(`${up.hosts.map(({ name }) => name).join(', ')}: ${up.changed ? 'up' : 'up, as they were'}`)
    },
  },
  {
    title: 'Bundle',
    hint: 'every binary is built from source: about 15 min on two processors the first time, later a moment',
    run: async () => void (await k8snet(['bundle', 'create', found.bundle, '--from', 'source'])),
  },
  {
    title: 'Cluster and proof of its network',
    hint: 'about 1 min the first time, later some seconds',
    run: async () => void (await k8snet(['up', inventory, '--yes'])),
  },
  {
    title: 'The nodes',
    hint: 'a moment',
    run: async () =>
      void (await k8snet([
        'lab',
        'ssh',
        'cp1',
        '--',
        'sudo kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o wide',
      ])),
  },
]

/** Runs k8snet as a user would. Its messages go to the terminal; its result too, or back to the caller. */
async function k8snet(words: readonly string[], result: 'show' | 'read' = 'show'): Promise<string> {
  const child = spawn(process.execPath, [cli, ...words], {
    stdio: ['inherit', result === 'show' ? 'inherit' : 'pipe', 'inherit'],
  })
  let text = ''
  // a letter of several bytes may come in two pieces
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? exits.interrupted))
  })
  if (status === 0) return text
  if (result === 'read') process.stderr.write(text)
  throw new Ended(status)
}

async function demo(): Promise<void> {
  for (const [i, { title, hint, run }] of steps.entries()) {
    const start = performance.now()
    process.stdout.write(`\n[${i + 1}/${steps.length}] ${title} (${hint})\n`)
    await run()
    if (stop.signal.aborted) throw new Ended(exits.interrupted)
    process.stdout.write(`      ${spent(start)}, ${spent(began)} in all\n`)
  }
  process.stdout.write(`
Three hosts, one cluster. To look around:
  node dist/cli.js lab ssh cp1
      a shell on the control plane; there: sudo kubectl get pods -A
  node dist/cli.js verify ${inventory}
      prove the network again
  node dist/cli.js status ${inventory}
      hosts, versions, drift
  node dist/cli.js down ${inventory}
      take the cluster away, keep the bare hosts
To remove it all: npm run demo:down
`)
}

async function remove(words: readonly string[]): Promise<void> {
  await k8snet(['lab', 'down', ...words])
  const kept = [
    ...(words.includes('--all') ? [] : ['the host image (npm run demo:down -- --all removes it)']),
    'the bundle in the cache directory',
    'the packages that were installed',
  ]
  process.stdout.write(`Kept: ${kept.join(', ')}.\n`)
}

function spent(since: number): string {
  const seconds = Math.round((performance.now() - since) / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const [verb, ...words] = process.argv.slice(2)
try {
  if (verb === 'down') await remove(words)
  else await demo()
} catch (error) {
  if (!(error instanceof Ended)) {
    const known = error instanceof Failure
    const troubles = known
      ? error.troubles.map((it) =>
          [
            lineOf(it),
            ...(it.evidence ?? []).map(({ line }) => `  ${line}`),
            ...(it.fix ? [`  fix: ${it.fix}`] : []),
          ].join('\n'),
        )
      : [`${error}`]
    process.stderr.write(`${troubles.join('\n')}\n`)
  }
  process.exitCode = error instanceof Ended ? error.status : error instanceof Failure ? error.exit : exits.defect
}
