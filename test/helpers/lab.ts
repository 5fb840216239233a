import { readFileSync } from 'node:fs'
import { leftOnPurpose } from '../cluster/left.ts'
import { k8snet } from './cli.ts'

/** The lab of this checkout as the tests use it: three Vagrant hosts, reached as a user reaches them. */
export const inventory = 'vagrant/inventory.yaml'
export const hosts: readonly string[] = ['cp1', 'w1', 'w2']
export const kubectl = '/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf'

const snapshot = readFileSync('test/cluster/snapshot.sh', 'utf8')

/** Runs k8snet with `-o json` and reads what it printed. */
export async function json(...args: string[]) {
  const ended = await k8snet([...args, '-o', 'json'])
  return { code: ended.code, ms: ended.ms, json: JSON.parse(ended.out || 'null'), err: ended.err }
}

/** Runs a script as root on a host of the lab. */
export const onHost = (host: string, script: string) =>
  k8snet(['lab', 'ssh', host, '--', 'sudo', 'sh', '-s'], { input: script })

/** What every host is like now, as text that can be compared. */
export const states = async (of = hosts): Promise<ReadonlyMap<string, string>> =>
  new Map(await Promise.all(of.map(async (host) => [host, (await onHost(host, snapshot)).out] as const)))

/** The lines that two states do not share, each with where it stands. */
export function differences(before: string, after: string): string[] {
  const lines = (text: string) => {
    let section = ''
    return text.split('\n').flatMap((line) => {
      if (line.startsWith('## ')) section = line.slice(3)
      return line === '' || line.startsWith('## ') ? [] : [`${section}: ${line}`]
    })
  }
  const [old, now] = [new Set(lines(before)), new Set(lines(after))]
  return [
    ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ]
}

/** What is not as it was on any host, but for what the README says is left on purpose. */
export function notRestored(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...before].flatMap(([host, state]) =>
    differences(state, after.get(host) ?? '')
      .filter((line) => !leftOnPurpose.some((pattern) => pattern.test(line)))
      .map((line) => `${host} ${line}`),
  )
}

/** What the plan of the lab still wants, as `host: step`. */
export async function planned(file = inventory): Promise<string[]> {
  const { json: plan } = await json('plan', file)
  return plan.hosts.flatMap(({ name, actions }: { name: string; actions: { step: string }[] }) =>
    actions.map(({ step }) => `${name}: ${step}`),
  )
}
