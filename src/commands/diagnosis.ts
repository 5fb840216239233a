import { causes } from '../causes/index.ts'
import { gatherDump } from '../dump/gather.ts'
import { pictureOf } from '../dump/picture.ts'
import type { ClusterDump, Picture } from '../model/dump.ts'
import type { Eyes } from '../model/ports.ts'
import { isProbe } from '../model/probes.ts'
import type { Check, VerifyReport } from '../model/report.ts'
import type { Trace } from '../model/trace.ts'
import { Failure } from '../model/trouble.ts'
import { trace } from '../trace/trace.ts'
import { explained, type Findings, findAll, lasting } from '../verify/explain.ts'
import { topologyOf } from '../verify/topology.ts'
import type { CommandIo } from './io.ts'
import { versionOfK8snet } from './version.ts'

/** What was found is looked at once more after this time: rules and entries may only have been on their way. */
const settleMs = 1000
/** The ways of so many failed pairs are followed. */
const tracesShown = 3

/** A network's state and what is wrong with it. */
export interface Diagnosis {
  readonly dump: ClusterDump
  readonly picture: Picture
  readonly findings: Findings
}

/** The nodes as SSH reaches them, by name; without a leader nothing is asked of the API server. */
export interface Readable {
  readonly leader: Eyes | undefined
  readonly nodes: ReadonlyMap<string, Eyes>
  /** Nodes that SSH does not reach. */
  readonly unreached: readonly string[]
}

/**
 * Dumps a cluster and looks for causes; a second time where there are any, and then only what was there both times counts.
 * Changes nothing. Best called while probe pods are there, so that their ways can be followed.
 */
export async function diagnose(io: CommandIo, readable: Readable): Promise<Diagnosis> {
  const look = async (): Promise<Diagnosis> => {
    const dump = await gatherDump(readable.leader, readable.nodes, {
      k8snet: await versionOfK8snet(),
      now: new Date(),
      signal: io.signal,
    })
    const unread = readable.unreached.map((node) => ({ node, why: 'it was not reached by SSH' }))
    return diagnosisOf({ ...dump, unread: [...dump.unread, ...unread] })
  }
  const first = await look()
  if (first.findings.found.length === 0 || io.signal.aborted) return first
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  const second = await look()
  return { ...second, findings: lasting(first.findings, second.findings) }
}

/** What a dump shows, without asking anybody. */
export function diagnosisOf(dump: ClusterDump): Diagnosis {
  const picture = pictureOf(dump)
  return { dump, picture, findings: findAll(causes, picture) }
}

/** The report with its causes, the topology, and the ways of the first failed pairs. */
export function withCauses(report: VerifyReport, { picture, findings }: Diagnosis): VerifyReport {
  return {
    ...explained(report, findings, picture),
    topology: topologyOf(picture, report.checks),
    traces: tracesOf(report.checks, picture),
  }
}

function tracesOf(checks: readonly Check[], picture: Picture): Trace[] {
  const namespace = picture.cluster?.pods.find(isProbe)?.namespace
  const pairs = checks.filter(({ scenario, outcome }) => scenario === 'pod-to-pod' && outcome === 'failed')
  const ways = [...new Set(pairs.map(({ from, to }) => `${from} ${to}`))].slice(0, tracesShown)
  return ways.flatMap((way) => {
    const [from, to] = way.split(' ')
    try {
      return namespace ? [trace(picture, `${namespace}/a-${from}`, `${namespace}/b-${to}:18420`)] : []
    } catch (error) {
      // A pod that never came about has no way.
      if (error instanceof Failure) return []
      throw error
    }
  })
}
