import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { k8snet } from '../helpers/cli.ts'
import { type Doors, watchDoors } from '../helpers/doors.ts'
import { hosts, inventory, json, kubectl, notRestored, onHost, planned, states } from '../helpers/lab.ts'

/**
 * A firewall of each kind, active on its host before k8snet comes: ufw on w1, firewalld on w2, and on cp1 a table of nftables
 * that the administrator keeps in /etc/nftables.conf. From before `up` until after `down` somebody knocks at every host's SSH.
 */

const firewalls = {
  cp1: {
    start: `cat >/etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
table inet admin
delete table inet admin
table inet admin {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    tcp dport 22 accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
  }
}
END
systemctl enable --now nftables`,
    reload: 'systemctl reload nftables',
    shows: /chain forward \{\n\t\ttype filter hook forward priority filter; policy drop;/,
  },
  w1: {
    start: 'ufw allow 22/tcp && ufw --force enable',
    reload: 'ufw reload',
    shows: /Default: deny \(incoming\), allow \(outgoing\), deny \(routed\)/,
  },
  w2: {
    start: 'systemctl enable --now firewalld && firewall-cmd --state',
    reload: 'firewall-cmd --reload',
    shows: /public.*\n.*target: default[\s\S]*services: dhcpv6-client ssh/,
  },
} as const

let before: Awaited<ReturnType<typeof states>>
let doors: Doors | undefined

async function must(host: string, script: string): Promise<string> {
  const ended = await onHost(host, script)
  expect(ended.code, `${host}: ${ended.err}`).toBe(0)
  return ended.out
}

const notPassed = (report: { checks: { outcome: string }[] }) =>
  report.checks.filter(({ outcome }) => outcome !== 'passed')

beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const lab = await json('lab', 'up', '--hosts', '3')
  expect(lab.code, lab.err).toBe(0)
  const bundle = await k8snet(['bundle', 'create', lab.json.bundle, '--from', 'source'])
  expect(bundle.code, bundle.err).toBe(0)
  for (const [host, { start }] of Object.entries(firewalls)) await must(host, start)
  before = await states()
  doors = watchDoors()
})

afterAll(async () => {
  await doors?.close()
  await k8snet(['lab', 'down'])
})

describe('where a firewall is active on every host', () => {
  it.each(hosts.map((host) => [host] as const))('%s is seen to have it', (host) => {
    expect(before.get(host)).toMatch(firewalls[host as keyof typeof firewalls].shows)
  })

  it('up opens what the cluster needs, and its network is proven', async () => {
    const { code, json: report, err } = await json('up', inventory, '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    expect(notPassed(report.verify)).toEqual([])
    expect(report.verify.checks.length).toBeGreaterThan(80)
  })

  it('up again has nothing to do', async () => {
    const { code, json: report } = await json('up', inventory, '--yes', '--no-verify')
    expect(code).toBe(0)
    expect(report.hosts.map(({ actions }: { actions: number }) => actions)).toEqual([0, 0, 0])
  })

  it('a NodePort of every host answers from outside of the cluster, and nothing else of the host does', async () => {
    const service = '-n kube-system service/knock'
    await must('cp1', `${kubectl} -n kube-system expose deployment coredns --name knock --type NodePort --port 9153`)
    const port = await must('cp1', `${kubectl} get ${service} -o jsonpath='{.spec.ports[0].nodePort}'`)
    const { hosts: list } = (await json('lab', 'status')).json
    for (const { name, nodeIP } of list as { name: string; nodeIP: string }[]) {
      await expect.poll(() => answers(nodeIP, Number(port)), { timeout: 120_000, message: name }).toBe(true)
      for (const closed of [6443, 10250, 10256]) expect(await answers(nodeIP, closed), `${name}:${closed}`).toBe(false)
    }
    await must('cp1', `${kubectl} delete ${service}`)
  })

  it('the rules are still there after the firewall was loaded anew, and the network is as promised', async () => {
    for (const [host, { reload }] of Object.entries(firewalls)) await must(host, reload)
    expect(await planned()).toEqual([])
    const { code, json: report } = await json('verify', inventory)
    expect(notPassed(report)).toEqual([])
    expect(code).toBe(0)
  })

  it('down takes back what is ours, and every host and its firewall is as it was', async () => {
    const { code, json: report, err } = await json('down', inventory, '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    expect(notRestored(before, await states())).toEqual([])
  })

  it('at every moment in between a new SSH connection came in to every host', async () => {
    await doors?.close()
    expect(doors!.refusals()).toEqual([])
    expect(doors!.tries()).toBeGreaterThan(100)
  })
})

/** Does anything take a TCP connection there? */
async function answers(address: string, port: number): Promise<boolean> {
  const { outside } = await import('../../src/commands/outside.ts')
  return (await outside(address, port, { wantLine: false, timeoutMs: 1500 })).ok
}
