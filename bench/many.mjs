import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepare, withHosts } from '../dist/commands/session.js'
import { gather, questionsOf } from '../dist/plan/gather.js'
import { actionsOf, makePlan, stepsOn } from '../dist/plan/make.js'
import { steps } from '../dist/steps/index.js'
import { converged, hosts as labHosts, sshConfig } from './lab.mjs'
import { io, k8snet, timed } from './pair.mjs'

/**
 * `count` converged hosts: the lab's leader, and light hosts that live on its first worker (bench/many.sh says what of them is
 * their own). Every one has a real sshd, a login, a sudo and a shell, and answers every question by itself; what is not real is
 * that they share one kernel, systemd and containerd, and that the API server was told of their nodes by hand.
 */
export async function many(count) {
  await converged()
  const lab = labHosts()
  const config = sshConfig()
  const { cp1, w1 } = lab.hosts
  const net = w1.nodeIP.split('.').slice(0, 3).join('.')
  const on = (host, file, ...words) =>
    timed('ssh', ['-F', config, host, 'sudo', 'sh', '-s', '--', ...words], {
      input: readFileSync(`bench/${file}`, 'utf8'),
    })
  await on('w1', 'many.sh', net, String(count - 1))
  await on('cp1', 'nodes.sh', String(count - 1))
  const names = Array.from({ length: count - 1 }, (_, i) => `m-${i + 1}`)
  const all = names.map((name, i) => ({ name, ip: `${net}.${101 + i}` }))
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-many-'))
  const inventoryOf = (few) => {
    const file = join(dir, `${few.length}.yaml`)
    writeFileSync(file, inventoryText(lab, few))
    return file
  }
  const file = inventoryOf(all)
  await k8snet('up', file, '--only', 'cp1', '--yes', '--no-verify', '--quiet')
  const script = await filesOf(file, names)
  await timed('ssh', ['-F', config, 'w1', 'sudo', 'sh', '-s'], { input: script })
  return {
    /** An inventory of the leader and the first hosts, `few` in all, and an ssh config by the same names. */
    first: (few) => ({ file: inventoryOf(all.slice(0, few - 1)), names: ['cp1', ...names.slice(0, few - 1)] }),
    config: sshConfigOf(dir, [
      { name: 'cp1', address: cp1.address, port: cp1.port, host: cp1 },
      ...all.map(({ name, ip }) => ({ name, address: ip, port: 2200, host: w1 })),
    ]),
    async stop() {
      await on('w1', 'many.sh', net, String(count - 1), 'stop')
      await on('cp1', 'nodes.sh', '0')
    },
  }
}

function inventoryText({ cluster, source, hosts: { cp1, w1 } }, few) {
  const host = (name, { user, key, hostKey, become }, rest) =>
    `  ${name}: ${JSON.stringify({ user, key, hostKey, become, ...rest })}`
  return [
    `cluster: ${JSON.stringify(cluster)}`,
    `source: ${JSON.stringify(source)}`,
    'hosts:',
    host('cp1', cp1, { role: 'control-plane', address: cp1.address, port: cp1.port, nodeIP: cp1.nodeIP }),
    ...few.map(({ name, ip }) => host(name, w1, { address: ip, port: 2200, nodeIP: ip })),
    '',
  ].join('\n')
}

function sshConfigOf(dir, hosts) {
  const file = join(dir, 'ssh_config')
  const known = join(dir, 'known_hosts')
  const labKnown = readFileSync('vagrant/known_hosts', 'utf8').split('\n')
  const keysOf = ({ address, port }) =>
    labKnown.filter((line) => line.startsWith(`[${address}]:${port} `)).map((line) => line.slice(line.indexOf(' ') + 1))
  writeFileSync(
    known,
    hosts.flatMap(({ address, port, host }) => keysOf(host).map((key) => `[${address}]:${port} ${key}\n`)).join(''),
  )
  writeFileSync(
    file,
    hosts
      .map(
        ({ name, address, port, host }) => `Host ${name}
  HostName ${address}
  Port ${port}
  User ${host.user}
  IdentityFile ${host.key}
  IdentitiesOnly yes
  UserKnownHostsFile ${known}
  StrictHostKeyChecking yes
  LogLevel ERROR
`,
      )
      .join(''),
  )
  return file
}

/** Shell that gives the light hosts the files that depend on a host's name and address, as k8snet plans them. */
async function filesOf(inventory, names) {
  const { sites, playbook, hosts } = await prepare(io(), inventory)
  const scripts = await withHosts(io(), hosts, (hands) =>
    Promise.all(
      sites
        .filter(({ host }) => names.includes(host.name))
        .map(async (site) => {
          const asked = questionsOf(stepsOn(playbook, site).map((name) => steps[name].asks(site)))
          const answers = new Map([[site.host, await gather(hands.get(site.host), asked)]])
          const [{ stages }] = makePlan(playbook, [site], answers, steps).hosts
          return stages.flatMap(actionsOf).map(({ action }) => written(site.host.name, action))
        }),
    ),
  )
  return scripts.flat().join('')
}

function written(name, action) {
  const path = `/run/many/${name}${action.path}`
  if (action.kind === 'file') return `cat >${path} <<'K8SNET'\n${action.want.content}K8SNET\n`
  if (action.kind === 'line')
    return `cat >>${path} <<'K8SNET'\n${action.edits
      .filter(({ was }) => was === null)
      .map(({ want }) => `${want}\n`)
      .join('')}K8SNET\n`
  // its files changed, and now they are there
  if (action.kind === 'service') return ''
  throw new Error(`${name} is not like its host: ${JSON.stringify(action).slice(0, 500)}`)
}
