import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { k8snet, run } from '../helpers/cli.ts'
import { differences, hosts, inventory, json, kubectl, notRestored, onHost, planned, states } from '../helpers/lab.ts'

/**
 * The main job on the real lab: three Vagrant hosts, real kubeadm, real flannel, real packets. One test builds on the one
 * before, as an operator's day does. The lab is made anew at the start and removed at the end.
 */

beforeAll(async () => {
  await run('sh', ['vagrant/demo.sh', 'down'])
})

afterAll(async () => {
  await run('sh', ['vagrant/demo.sh', 'down'])
})

describe('npm run demo', () => {
  it('builds, installs and starts what is missing, and ends with three Ready nodes and every check passed', async () => {
    const ended = await run('sh', ['vagrant/demo.sh'], { echo: true })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.out).toMatch(/cp1 +Ready/)
    expect(ended.out).not.toMatch(/FAIL/)
  })

  it('again has nothing to do', async () => {
    const ended = await run('sh', ['vagrant/demo.sh'])
    expect(ended.code, ended.err).toBe(0)
    expect(ended.out + ended.err).toContain('Nothing to do')
  })
})

/** A user's firewall that lets in next to nothing; w2 has it from before `up` until after `down`. */
const firewall = `table inet users {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    tcp dport 22 accept
  }
}`

/** Fresh hosts, and what they are like before anybody touched them. */
let bare: ReadonlyMap<string, string>

describe('fresh hosts', () => {
  it('come up in place of the old ones', async () => {
    expect((await k8snet(['lab', 'down'])).code).toBe(0)
    const ended = await k8snet(['lab', 'up', '--hosts', '3'], { echo: true })
    expect(ended.code, ended.err).toBe(0)
    expect((await onHost('w2', `nft -f - <<'END'\n${firewall}\nEND`)).code).toBe(0)
    bare = await states()
  })

  it('answer for a snapshot that has something in it', () => {
    for (const text of bare.values()) {
      expect(text.split('\n').length).toBeGreaterThan(1000)
      expect(text).toContain('## packages')
    }
  })

  it('are planned in full, and the plan changes nothing on any of them', async () => {
    const { code, json: plan } = await json('plan', inventory)
    expect(code).toBe(0)
    expect(plan.hosts.map((host: { name: string }) => host.name)).toEqual(hosts)
    const steps = (name: string) =>
      new Set(
        plan.hosts
          .find((host: { name: string }) => host.name === name)
          .actions.map((action: { step: string }) => action.step),
      )
    for (const step of ['artifacts', 'containerd', 'images', 'kubelet'])
      for (const host of hosts) expect(steps(host), host).toContain(step)
    expect(steps('cp1')).toContain('kubeadm-init')
    expect(steps('w1')).toContain('kubeadm-join')
    const after = await states()
    for (const host of hosts) expect(differences(bare.get(host)!, after.get(host)!)).toEqual([])
  })

  it('are refused by preflight with every fault of every host at once, and nothing is changed on any', async () => {
    const listen = `import socket, time; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", 10250)); s.listen(); time.sleep(3600)`
    await onHost('w1', 'mkdir -p /etc/kubernetes/manifests && echo old >/etc/kubernetes/manifests/kube-apiserver.yaml')
    const listens = await onHost(
      'w2',
      `setsid python3 -c '${listen}' >/dev/null 2>&1 & echo $! >/run/listener
for i in $(seq 300); do ss -Hlnt 'sport = :10250' | grep -q . && exit 0; sleep 0.2; done; exit 1`,
    )
    expect(listens.code, listens.err).toBe(0)
    const refused = await json('up', inventory, '--yes')
    await onHost('w1', 'rm -r /etc/kubernetes')
    await onHost('w2', 'kill "$(cat /run/listener)"; rm /run/listener')
    expect(refused.code).toBe(5)
    const found = refused.json.errors.map(({ code, where }: { code: string; where: string }) => `${where} ${code}`)
    expect(found.sort()).toEqual(['w1 LEFTOVERS', 'w2 PORT_TAKEN'])
    const after = await states()
    for (const host of hosts) expect(differences(bare.get(host)!, after.get(host)!)).toEqual([])
  })
})

describe('up', () => {
  it('makes three Ready nodes and proves their network', async () => {
    const { code, json: report, err } = await json('up', inventory, '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    expect(report.hosts.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome])).toEqual(
      hosts.map((host) => [host, 'changed']),
    )
    expect(report.verify.checks.filter(({ outcome }: { outcome: string }) => outcome !== 'passed')).toEqual([])
    expect(report.verify.checks.length).toBeGreaterThan(80)
  })

  it('shows no secret: the join token is in no journal, log or process list', async () => {
    for (const host of hosts) {
      const seen = await onHost(
        host,
        `grep -rlE 'token: *"?[a-z0-9]{6}\\.[a-z0-9]{16}' /var/lib/k8snet /etc/kubernetes/*.yaml /var/log /run/k8snet 2>/dev/null; find /run/k8snet -mindepth 1 ! -name '*.lock' ! -name jobs`,
      )
      expect(seen.out.trim(), host).toBe('')
    }
  })

  it('again finds nothing to do', async () => {
    const { code, json: report } = await json('up', inventory, '--yes', '--no-verify')
    expect(code).toBe(0)
    expect(
      report.hosts.map(({ outcome, actions }: { outcome: string; actions: number }) => [outcome, actions]),
    ).toEqual(hosts.map(() => ['unchanged', 0]))
  })

  it('leaves an empty plan, and a status of three Ready nodes without drift', async () => {
    expect((await json('plan', inventory)).json.hosts.map(({ actions }: { actions: unknown[] }) => actions)).toEqual([
      [],
      [],
      [],
    ])
    expect((await json('status', inventory)).json.hosts).toEqual(
      hosts.map((name) => ({
        name,
        role: name === 'cp1' ? 'control-plane' : 'worker',
        ready: true,
        version: 'v1.37.1',
        changes: 0,
      })),
    )
  })

  it('mends what somebody broke, and only that', async () => {
    await onHost('w1', 'rm /etc/sysctl.d/90-k8snet.conf; systemctl disable -q kubelet')
    const { json: plan } = await json('plan', inventory)
    expect(plan.hosts.map(({ actions }: { actions: { step: string }[] }) => actions.map(({ step }) => step))).toEqual([
      [],
      ['sysctls', 'kubelet'],
      [],
    ])
    expect((await json('up', inventory, '--yes', '--no-verify')).code).toBe(0)
    expect(await planned()).toEqual([])
  })

  it('gives a kubeconfig for the cluster', async () => {
    const { out, code } = await k8snet(['kubeconfig', inventory])
    expect(code).toBe(0)
    expect(out).toContain('server: https://192.168.')
  })
})

describe('one host', () => {
  it('is given back and joins again, with a token made for it, while the others stay as they are', async () => {
    expect((await json('down', inventory, '--only', 'w1', '--yes')).code).toBe(0)
    expect((await onHost('cp1', `${kubectl} get nodes -o name`)).out).toBe('node/cp1\nnode/w2\n')
    const { code, json: report, err } = await json('up', inventory, '--only', 'w1', '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    const outcomes = Object.fromEntries(
      report.hosts.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome]),
    )
    expect(outcomes).toMatchObject({ w1: 'changed' })
    expect(outcomes).not.toHaveProperty('w2')
    expect(await planned()).toEqual([])
  })
})

const flannelPeer = `bridge fdb show dev flannel.1 | awk '/dst/ { print $1, $0 }' | sed -n 's/^\\([^ ]*\\) .*dst \\([0-9.]*\\).*/\\1 \\2/p' | head -n 1`

const unreachable =
  /^(POD_UNREACHABLE|SERVICE_ENDPOINT_MISSED|SERVICE_UNREACHABLE|NODE_TO_POD_FAILED|DNS_FAILED|NODEPORT_UNREACHABLE|APISERVER_UNREACHABLE)$/

/** What is broken, where, how it is undone, and the codes that verify may give for it; all are on one host. */
const faults: { fault: string; host: string; make: string; undo: string; codes: RegExp; names: RegExp }[] = [
  {
    fault: 'a deleted FDB entry of flannel.1',
    host: 'w1',
    make: `set -- $(${flannelPeer}); echo "$1 $2" >/tmp/fdb; bridge fdb del "$1" dev flannel.1 dst "$2"`,
    undo: `read -r mac dst </tmp/fdb; bridge fdb add "$mac" dev flannel.1 dst "$dst"; rm /tmp/fdb`,
    codes: unreachable,
    names: /^pod-to-pod\/(w1\/|.*\/w1)/,
  },
  {
    fault: 'UDP 8472 dropped',
    host: 'w2',
    make: 'iptables -I INPUT -p udp --dport 8472 -j DROP',
    undo: 'iptables -D INPUT -p udp --dport 8472 -j DROP',
    codes: unreachable,
    names: /^pod-to-pod\/(w2\/|.*\/w2)/,
  },
  {
    fault: 'a MASQUERADE of the pod range',
    host: 'w1',
    make: 'iptables -t nat -I POSTROUTING -s 10.244.0.0/16 -j MASQUERADE',
    undo: 'iptables -t nat -D POSTROUTING -s 10.244.0.0/16 -j MASQUERADE',
    codes: /^POD_SNAT_VIOLATION$/,
    names: /^pod-to-pod\/w1\//,
  },
  {
    fault: 'CoreDNS scaled to 0',
    host: 'cp1',
    make: `${kubectl} -n kube-system scale deployment coredns --replicas 0 && ${kubectl} -n kube-system wait --for=delete pod -l k8s-app=kube-dns --timeout=300s`,
    undo: `${kubectl} -n kube-system scale deployment coredns --replicas 2 && ${kubectl} -n kube-system rollout status deployment coredns --timeout=300s`,
    codes: /^(DNS_NO_ENDPOINTS|DNS_FAILED)$/,
    names: /^dns\//,
  },
  {
    fault: 'ip_forward=0',
    host: 'w2',
    make: 'echo 0 >/proc/sys/net/ipv4/ip_forward',
    undo: 'echo 1 >/proc/sys/net/ipv4/ip_forward',
    codes: new RegExp(`^IP_FORWARD_OFF$|${unreachable.source}`),
    names: /^pod-to-pod\/(w2\/|.*\/w2)/,
  },
]

const failedIn = (report: { checks: { outcome: string }[] }) =>
  report.checks.filter(({ outcome }) => outcome === 'failed')

/** What hung on the network that was broken needs a moment: CoreDNS asks the API server anew only after its watch timed out. */
async function verifiedWithin(seconds: number) {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const verified = await json('verify', inventory)
    if (verified.code === 0 || performance.now() > end) return verified
  }
}

describe('verify', () => {
  it.each(faults)(
    'finds $fault on $host, names the pairs, and passes again when it is undone',
    async ({ host, make, undo, codes, names }) => {
      const made = await onHost(host, make)
      expect(made.code, made.err).toBe(0)
      const broken = await json('verify', inventory)
      const undone = await onHost(host, undo)
      expect(undone.code, undone.err).toBe(0)

      expect(broken.code).toBe(6)
      expect(broken.json.ok).toBe(false)
      const failed: { id: string; code: string; evidence: string; fix: string }[] = broken.json.checks.filter(
        ({ outcome }: { outcome: string }) => outcome === 'failed',
      )
      expect(
        failed.some(({ id }) => names.test(id)),
        failed.map(({ id }) => id).join('\n'),
      ).toBe(true)
      for (const check of failed) {
        expect(check.code, check.id).toMatch(codes)
        expect(check.evidence, check.id).toBeTruthy()
        expect(check.fix, check.id).toBeTruthy()
      }

      const mended = await verifiedWithin(300)
      expect(failedIn(mended.json)).toEqual([])
      expect(mended.code).toBe(0)
    },
  )

  it('leaves no probe behind', async () => {
    const gone = `for i in $(seq 300); do left=$(${kubectl} get namespaces -o name | grep k8snet-verify) || break; sleep 1; done; echo "left: $left"`
    expect((await onHost('cp1', gone)).out).toBe('left: \n')
    // The servers end within a second once nobody reads what they say.
    const ended = `for i in $(seq 60); do left=$(ps -eo args | grep "^[^ ]*\\(python3\\|perl\\) ") || break; sleep 1; done; echo "left: $left"`
    for (const host of hosts) expect((await onHost(host, ended)).out, host).toBe('left: \n')
  })
})

describe('down', () => {
  it('gives every host back as it was, but for what the README lists', async () => {
    const { code, json: report, err } = await json('down', inventory, '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    expect(notRestored(bare, await states())).toEqual([])
  })

  it('again finds nothing to undo', async () => {
    const { code, json: report } = await json('down', inventory, '--yes')
    expect(code).toBe(0)
    expect(report.hosts.map(({ outcome }: { outcome: string }) => outcome)).toEqual(hosts.map(() => 'unchanged'))
  })
})

describe('up after down', () => {
  it('that is interrupted while kubeadm is at work stops after it, and says so', async () => {
    const child = spawn(process.execPath, ['dist/cli.js', 'up', inventory, '--yes'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    child.stderr.on('data', (data) => {
      const before = text.includes('cp1: init begins')
      text += data
      if (!before && text.includes('cp1: init begins')) setTimeout(() => child.kill('SIGINT'), 2000)
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code, text).toBe(130)
    expect(text).toContain('INTERRUPTED')
  })

  it('goes on from there, and ends as if nothing had happened', async () => {
    const { code, json: report } = await json('up', inventory, '--yes')
    expect(code, JSON.stringify(report)).toBe(0)
    expect(await planned()).toEqual([])
  })
})
