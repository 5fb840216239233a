// Dumps of a cluster of any size, made from the real dumps of test/fixtures/dumps/healthy: the control plane stays as it was, and
// every other node is its first worker with names, addresses and MACs of its own and with entries for all its peers.
import { readFileSync } from 'node:fs'

const fixtures = new URL('../test/fixtures/dumps/healthy/', import.meta.url)
const read = (file) => JSON.parse(readFileSync(new URL(file, fixtures), 'utf8'))

const hex = (number, digits) => number.toString(16).padStart(digits, '0')

/** Node i: 0 is the control plane. */
function memberOf(i) {
  return {
    i,
    name: i === 0 ? 'cp1' : `w-${String(i).padStart(4, '0')}`,
    ip: `10.64.${1 + (i >> 8)}.${i & 255}`,
    nat: `172.17.${1 + (i >> 8)}.${i & 255}`,
    // 10.128.0.0/10 has room for 16,384 of them
    pods: `10.${128 + (i >> 8)}.${i & 255}`,
    vtep: `fa:9e:60:53:${hex(i >> 8, 2)}:${hex(i & 255, 2)}`,
  }
}

/** A ClusterDump of `count` nodes that are well, two at least. */
export function synthetic(count) {
  const index = read('cluster.json')
  const models = [0, 1].map((i) => {
    const node = read(`nodes/${index.nodes[i]}.json`)
    const api = index.cluster.nodes.find(({ name }) => name === node.node)
    return { node, api, own: ownOf(api) }
  })
  const members = Array.from({ length: count }, (_, i) => memberOf(i))
  const tables = tablesOf(members)
  const nodes = members.map((member) => nodeOf(member, models[Math.min(member.i, 1)], models, members, tables))
  return { ...index, cluster: clusterOf(index.cluster, models, members), nodes }
}

/** What is the model's own, and stands in its texts. */
function ownOf(api) {
  return {
    name: api.name,
    ip: api.internalIPs[0],
    pods: api.podCIDRs[0].replace(/\.0\/24$/, ''),
    vtep: JSON.parse(api.annotations['flannel.alpha.coreos.com/backend-data']).VtepMAC,
  }
}

/** The entries that each node has of every other one, in the order of the dump. */
function tablesOf(members) {
  const sorted = (rows) => rows.sort((a, b) => (a.line < b.line ? -1 : 1))
  const rows = (line) => members.map((member) => ({ member, line: line(member) }))
  return {
    neighbours: sorted(rows(({ pods, vtep }) => `${pods}.0 dev flannel.1 lladdr ${vtep} PERMANENT`)),
    fdb: sorted(rows(({ vtep, ip }) => `${vtep} dev flannel.1 dst ${ip} self permanent`)),
    routes: rows(({ pods }) => `${pods}.0/24 via ${pods}.0 dev flannel.1 onlink`),
  }
}

function nodeOf(member, { node, own }, models, members, tables) {
  const parts = {}
  for (const [name, text] of Object.entries(node.parts)) parts[name] = renamed(name, text, member, own, models, members)
  const isPeer = (line) => / dev flannel\.1 (lladdr|dst|onlink)/.test(line)
  for (const [name, rows] of Object.entries(tables)) {
    const kept = parts[name].split('\n').filter((line) => line !== '' && !isPeer(line))
    const peers = rows.flatMap(({ member: peer, line }) => (peer === member ? [] : [line]))
    // where the peers' lines stand among the others
    const at =
      name === 'routes'
        ? kept.findIndex((line) => line.startsWith(`${member.pods}.0/24 dev cni0`))
        : kept.findIndex((line) => line.split(' ')[2] > 'flannel.1')
    const place = at < 0 ? kept.length : at
    if (name === 'routes') {
      kept.splice(place, 1, ...peers.slice(0, member.i), kept[place], ...peers.slice(member.i))
    } else kept.splice(place, 0, ...peers)
    parts[name] = `${kept.join('\n')}\n`
  }
  // in one piece: a text that is a tree of texts holds all of them
  for (const name of Object.keys(parts)) parts[name] = Buffer.from(parts[name], 'latin1').toString('latin1')
  return { node: member.name, parts, problems: {} }
}

const rules = /^(iptables-save|nft)$/

function renamed(name, text, member, own, models, members) {
  const [leader, worker] = models
  // rules name the pods of both models; everything else only the node's own
  const pods = rules.test(name)
    ? (it) =>
        it
          .replaceAll(`${own.pods}.0/24`, `${member.pods}.0/24`)
          .replaceAll(`"${own.pods}.0"`, `"${member.pods}.0"`)
          .replaceAll(
            new RegExp(`\\b${leader.own.pods.replaceAll('.', '\\.')}\\.(?=[1-9])`, 'g'),
            `${members[0].pods}.`,
          )
          .replaceAll(
            new RegExp(`\\b${worker.own.pods.replaceAll('.', '\\.')}\\.(?=[1-9])`, 'g'),
            `${(members[1] ?? members[0]).pods}.`,
          )
    : (it) => it.replaceAll(new RegExp(`\\b${own.pods.replaceAll('.', '\\.')}\\.`, 'g'), `${member.pods}.`)
  let it = text.replaceAll('10.244.0.0/16', 'POD-NETWORK').replaceAll('{"addr": "10.244.0.0", "len": 16}', 'POD-JSON')
  it = pods(it)
    .replaceAll('POD-NETWORK', '10.128.0.0/10')
    .replaceAll('POD-JSON', '{"addr": "10.128.0.0", "len": 10}')
    .replaceAll(own.vtep, member.vtep)
    .replaceAll(own.ip, member.ip)
    .replaceAll(leader.own.ip, members[0].ip)
    .replaceAll(worker.own.ip, (members[1] ?? members[0]).ip)
    .replaceAll('192.168.56.0/24', '10.64.0.0/16')
    .replaceAll('192.168.56.255', '10.64.255.255')
    .replaceAll(/172\.17\.0\.(?=[2-9]\b)\d/g, member.nat)
  if (name === 'links')
    it = JSON.stringify(
      JSON.parse(it).map((link) => ({
        ...link,
        addr_info: link.addr_info.map((one) => (one.local === member.ip ? { ...one, prefixlen: 16 } : one)),
      })),
    )
  if (name === 'identity')
    it = it
      .replace(/^hostname .*/m, `hostname ${member.name}`)
      .replace(/^machine-id .{4}/m, `machine-id ${hex(member.i, 4)}`)
      .replace(/^boot-id .{4}/m, `boot-id ${hex(member.i, 4)}`)
  if (name.endsWith('/about') && member.i > 1) it = it.replace(/-pod[0-9a-f]{4}/, `-pod${hex(member.i, 4)}`)
  // MACs of its own, those of the tunnels stay
  return member.i < 2
    ? it
    : it.replaceAll(
        /\b(?!00:00|ff:ff|01:00|33:33|fa:9e)([0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}):[0-9a-f]{2}:([0-9a-f]{2})\b/g,
        (_, head, tail) => `${head.slice(0, 8)}:${hex(member.i >> 8, 2)}:${hex(member.i & 255, 2)}:${tail}`,
      )
}

function clusterOf(cluster, models, members) {
  const [leader, worker] = models
  const put = (json) =>
    JSON.parse(
      JSON.stringify(json)
        .replaceAll('10.244.0.0/16', '10.128.0.0/10')
        .replaceAll(`${leader.own.pods}.`, `${members[0].pods}.`)
        .replaceAll(`${worker.own.pods}.`, `${(members[1] ?? members[0]).pods}.`)
        .replaceAll(leader.own.ip, members[0].ip)
        .replaceAll(worker.own.ip, (members[1] ?? members[0]).ip)
        .replaceAll(`"node":"${leader.own.name}"`, `"node":"${members[0].name}"`)
        .replaceAll(`"node":"${worker.own.name}"`, `"node":"${(members[1] ?? members[0]).name}"`),
    )
  const base = put(cluster)
  const more = members.slice(2)
  const nodes = members.map(({ i, name, ip, pods, vtep }) => {
    const { api } = models[Math.min(i, 1)]
    return {
      ...api,
      name,
      podCIDRs: [`${pods}.0/24`],
      internalIPs: [ip],
      annotations: {
        ...api.annotations,
        'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: vtep }),
        'flannel.alpha.coreos.com/public-ip': ip,
      },
    }
  })
  const onWorker = base.pods.filter(({ node }) => members.length > 1 && node === members[1].name)
  const pods = more.flatMap(({ i, name, ip, pods: prefix }) =>
    onWorker.map((pod) => ({
      ...pod,
      name: `${pod.name}-${i}`,
      uid: `${hex(i, 4)}${pod.uid.slice(4)}`,
      node: name,
      ips: pod.ips.map((own) => (pod.hostNetwork ? ip : own.replace(/^.*\./, `${prefix}.`))),
      labels: pod.hostNetwork ? pod.labels : { app: 'other' },
      containers: pod.containers.map((it) => ({ ...it, id: `${hex(i, 8)}${it.id.slice(8)}` })),
    })),
  )
  return {
    ...base,
    nodes,
    pods: [...base.pods, ...pods],
    daemonSets: base.daemonSets.map((set) => ({ ...set, desired: members.length, ready: members.length })),
  }
}
