import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Lists } from '../dump/api.ts'
import { clusterView } from '../dump/cluster.ts'
import { saveDump } from '../dump/save.ts'
import { type KubeClient, kubeClient } from '../kube/client.ts'
import { inventoryFromApi } from '../kube/inventory.ts'
import { readKubeconfig } from '../kube/kubeconfig.ts'
import { clusterLists } from '../kube/lists.ts'
import { type ClusterDump, dumpFormat } from '../model/dump.ts'
import type { Inventory } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import { withSshConfig } from '../ssh/config.ts'
import { type PodPrograms, programNames } from '../verify/by-api/manifests.ts'
import { verifyByApi as probe } from '../verify/by-api/verify.ts'
import { lasting } from '../verify/explain.ts'
import { diagnosisOf, withCauses } from './diagnosis.ts'
import type { CommandIo } from './io.ts'
import { recorded } from './recorded.ts'
import { choose } from './session.ts'
import { verifyInventory } from './verify-inventory.ts'
import type { VerifyOptions } from './verify-options.ts'
import { printReport } from './verify-report.ts'
import { versionOfK8snet } from './version.ts'

/** The image that conformance suites test networks with (test/utils/image/manifest.go of Kubernetes 1.37). */
export const agnhost = 'registry.k8s.io/e2e-test-images/agnhost:2.66.1'

/**
 * `k8snet verify --kubeconfig`: verifies a cluster for which there is no inventory. With `--ssh` its nodes are reached as those of
 * an inventory are; without it everything goes through the API server.
 */
export async function verifyByApi(io: CommandIo, file: string, options: VerifyOptions): Promise<void> {
  const access = readKubeconfig(resolve(io.cwd, file), options.context)
  refuseWithoutSsh(options)
  const api = kubeClient(access, { signal: io.signal })
  try {
    const ssh = options.ssh?.replace(/@$/, '')
    const found = await inventoryFromApi(api, {
      file: access.file,
      name: access.cluster || access.context,
      user: io.user,
      ...(ssh && { ssh }),
    })
    if (ssh === undefined) return await throughApi(io, api, found, options)
    if (!found.hosts.some(({ role }) => role === 'control-plane')) throw noLeader(api, found)
    await verifyInventory(io, { ...found, hosts: withSshConfig(found.hosts, io) }, options)
  } finally {
    api.close()
  }
}

async function throughApi(io: CommandIo, api: KubeClient, inventory: Inventory, options: VerifyOptions): Promise<void> {
  choose(inventory, options.only)
  await recorded(io, 'verify', inventory, [], async (io) => {
    io.follow?.phase('verify')
    const [programs, dump] = await Promise.all([podPrograms(), dumpOf(api, inventory)])
    const report = await probe(api, inventory, {
      image: options.probeImage ?? agnhost,
      programs,
      level: options.level,
      signal: io.signal,
      ...(options.only && { only: new Set(options.only) }),
      emit: (line) => {
        io.follow?.event({ type: 'note', text: `verify: ${line}` })
        if (!options.quiet) io.err(`verify: ${line}\n`)
      },
    })
    if (options.save) await saveDump(resolve(io.cwd, options.save), dump)
    // What was only on its way when it was looked at first is no cause.
    const first = diagnosisOf(dump)
    const again = first.findings.found.length > 0 ? diagnosisOf(await dumpOf(api, inventory)) : first
    const diagnosis = { ...again, findings: lasting(first.findings, again.findings) }
    const whole = withCauses(report, diagnosis)
    printReport(io, whole, options.output, { cluster: inventory.cluster.name, made: dump.made })
    if (!whole.ok) io.exit(exits.network)
    return whole
  })
}

/** What the API server says; no node is in it, for nobody looked at one. */
async function dumpOf(api: KubeClient, inventory: Inventory): Promise<ClusterDump> {
  const lists: Lists = await clusterLists(api)
  return {
    format: dumpFormat,
    k8snet: await versionOfK8snet(),
    made: new Date().toISOString(),
    nodes: [],
    unread: inventory.hosts.map(({ name }) => ({ node: name, why: 'no SSH, so no kernel state was looked at' })),
    cluster: clusterView(lists),
  }
}

async function podPrograms(): Promise<PodPrograms> {
  const texts = await Promise.all(
    programNames.map(async (name) => [
      name,
      await readFile(new URL(`../../templates/${name}`, import.meta.url), 'utf8'),
    ]),
  )
  return Object.fromEntries(texts) as PodPrograms
}

function refuseWithoutSsh({ ssh, fix, egress }: VerifyOptions): void {
  const wanted = fix ? '--fix' : egress ? '--egress' : undefined
  if (ssh !== undefined || wanted === undefined) return
  throw new Failure(exits.badInput, {
    code: 'USAGE',
    message: `${wanted} takes SSH`,
    fix: 'add --ssh USER@',
  })
}

function noLeader({ server }: KubeClient, { hosts }: Inventory): Failure {
  return new Failure(exits.refused, {
    code: 'CONTROL_PLANE_MISSING',
    message: 'no node of the cluster is a control plane, where SSH would find kubectl and /etc/kubernetes/admin.conf',
    where: server,
    evidence: [
      {
        source: 'GET /api/v1/nodes',
        line: `none of ${hosts.map(({ name }) => name).join(', ')} has the label node-role.kubernetes.io/control-plane`,
      },
    ],
    fix: 'leave --ssh out: then probe pods are made through the API',
  })
}
