import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { prepare, withHosts } from '../dist/commands/session.js'
import { cluster, daemons } from '../dist/facts/cluster.js'
import { files, paths } from '../dist/facts/files.js'
import { job } from '../dist/facts/job.js'
import { gather, questionsOf } from '../dist/plan/gather.js'
import { actionsOf, planStage, stepsOn } from '../dist/plan/make.js'
import { unconfirmed } from '../dist/run/revert.js'
import { steps } from '../dist/steps/index.js'
import { hosts as labHosts, inventory as labInventory } from './lab.mjs'
import { io } from './pair.mjs'

/**
 * Many simulated hosts that have converged: one SSH server process, whose answers were recorded from the lab's own converged
 * hosts and then made those of a cluster of `count`. Nothing is simulated on k8snet's side.
 */
export async function fleet(count) {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-fleet-'))
  const [key, hostKey] = ['id', 'host'].map((name) => join(dir, name))
  for (const path of [key, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
  const fingerprint = /SHA256:\S+/.exec(execFileSync('ssh-keygen', ['-lf', hostKey], { encoding: 'utf8' }))[0]
  const lab = labHosts()
  const hosts = Array.from({ length: count }, (_, i) =>
    i === 0
      ? { name: 'cp1', leader: true, address: '127.1.0.1', nodeIP: lab.hosts.cp1.nodeIP }
      : { name: `w-${String(i).padStart(4, '0')}`, address: addressOf('127', i), nodeIP: addressOf('10', i) },
  )
  const server = { ...(await recordedFor(dir, lab, hosts)), hosts, hostKey: readFileSync(hostKey, 'utf8') }
  writeFileSync(join(dir, 'server.json'), JSON.stringify({ ...server, publicKey: readFileSync(`${key}.pub`, 'utf8') }))
  const child = spawn(process.execPath, ['bench/fleet-server.mjs', join(dir, 'server.json')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { port } = JSON.parse((await lines.next()).value)
  const file = join(dir, 'inventory.yaml')
  writeFileSync(file, inventoryText(lab, hosts, { port, key, fingerprint }))
  return {
    file,
    hosts,
    port,
    /** Connections by address since the last call. */
    async connections() {
      child.stdin.write('\n')
      return JSON.parse((await lines.next()).value)
    },
    stop: () => child.kill(),
  }
}

const addressOf = (first, i) => `${first}.2.${i >> 8}.${i & 255}`

function inventoryText(lab, hosts, { port, key, fingerprint }) {
  return [
    `cluster: { name: fleet, kubernetes: ${lab.cluster.kubernetes}, podSubnet: 10.128.0.0/10 }`,
    `source: { bundle: ${lab.source.bundle} }`,
    `ssh: { user: root, key: ${key}, port: ${port} }`,
    'hosts:',
    ...hosts.map(
      ({ name, leader, address, nodeIP }) =>
        `  ${name}: { address: ${address}, nodeIP: ${nodeIP}, hostKey: '${fingerprint}'${leader ? ', role: control-plane' : ''} }`,
    ),
    '',
  ].join('\n')
}

/** What the lab's leader and one worker answer to every question, put right for the inventory of the fleet. */
async function recordedFor(dir, lab, hosts) {
  const raw = await record()
  const file = join(dir, 'inventory.yaml')
  writeFileSync(
    file,
    inventoryText(lab, hosts, { port: 22, key: '/dev/null', fingerprint: `SHA256:${'A'.repeat(43)}` }),
  )
  const { sites, playbook } = await prepare(io(), file)
  const [leader, worker] = [sites[0], sites[1]].map((site, i) => {
    const answers = { ...raw[i] }
    const name = i === 0 ? 'cp1' : 'w-0000'
    change(
      answers,
      new Map([
        [paths.hostname, `${name}\n`],
        [paths.hosts, hostsOf(hosts)],
        [paths.resolvConf, 'nameserver 192.0.2.53\n'],
      ]),
    )
    for (const ask of Object.keys(answers))
      if (ask.startsWith('cd /proc/sys')) answers[ask] = answers[ask].replace(/^(kernel\/hostname:).*/m, `$1${name}`)
    const left = leftOn({ ...site, host: { ...site.host, name } }, playbook, answers)
    const wanted = new Map(
      left.filter(({ action }) => action.kind === 'file').map(({ action }) => [action.path, action.want.content]),
    )
    change(answers, wanted)
    if (i === 0) answers[cluster.ask] = clusterText(answers[cluster.ask], hosts, wanted.get(paths.flannel))
    const still = leftOn({ ...site, host: { ...site.host, name } }, playbook, answers)
    if (still.length > 0) throw new Error(`${name} has not converged: ${JSON.stringify(still[0]).slice(0, 2000)}`)
    return answers
  })
  return { leader, worker }
}

function leftOn(site, playbook, raw) {
  const answers = { get: (fact) => fact.parse(raw[fact.ask.replaceAll(site.host.nodeIP, '@OWN@')]) }
  return playbook.stages
    .filter(({ hosts }) => hosts === 'all' || (hosts === 'leader') === (site.host.role === 'control-plane'))
    .flatMap((stage) => actionsOf(planStage(stage, site, answers, steps)))
}

/** The text of every answer of the lab's cp1 and w1. */
async function record() {
  const { sites, playbook, hosts } = await prepare(io(), labInventory)
  return withHosts(io(), hosts.slice(0, 2), (hands) =>
    Promise.all(
      sites.slice(0, 2).map(async (site) => {
        const asked = questionsOf([
          ...stepsOn(playbook, site).map((name) => steps[name].asks(site)),
          { job, unconfirmed },
        ])
        const texts = asked.map(({ ask }) => ({ ask, parse: (out) => out }))
        const answers = await gather(hands.get(site.host), texts)
        const own = site.host.nodeIP
        return Object.fromEntries(texts.map((fact) => [fact.ask.replaceAll(own, '@OWN@'), answers.get(fact)]))
      }),
    ),
  )
}

/** Other contents of files in a recorded answer. */
function change(answers, contents) {
  const found = new Map(files.parse(answers[files.ask]))
  for (const [path, content] of contents)
    found.set(path, { mode: '0644', owner: 'root:root', ...found.get(path), content })
  const stats = [...found].map(([path, it]) => `${it.mode} ${it.owner} ${Buffer.byteLength(it.content)} ${path}\n`)
  answers[files.ask] = `${stats.join('')}\n${[...found.values()].map(({ content }) => content).join('')}`
}

const hostsOf = (hosts) => `127.0.0.1\tlocalhost\n${hosts.map(({ name, nodeIP }) => `${nodeIP} ${name}\n`).join('')}`

/** The API server's answer: the recorded workloads, all with the fleet's own network, and a node for every host. */
function clusterText(recorded, hosts, flannel) {
  const digest = /k8snet\.dev\/digest: "([0-9a-f]+)"/.exec(flannel)[1]
  const version = /^node \S+ \S+ \S+ (\S+)/m.exec(recorded)[1]
  const work = recorded.split('\n').filter((line) => line.startsWith('work '))
  return [
    'cluster',
    ...hosts.map(
      ({ name, leader }, i) =>
        `node ${name} True 10.${128 + (i >> 8)}.${i & 255}.0/24 ${version} node-role.kubernetes.io/${leader ? 'control-plane' : 'worker'},`,
    ),
    ...hosts.flatMap(({ name }) => daemons.map((daemon) => `pod ${daemon} ${name} True`)),
    ...work.map((line) => line.replace(/^(work \S+flannel\S*) \S+/, `$1 ${digest}`)),
    '',
  ].join('\n')
}
