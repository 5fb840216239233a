import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { k8snet, run } from '../helpers/cli.ts'
import { kubectl, onHost } from '../helpers/lab.ts'

/**
 * Every secret of an `up` on lab hosts is looked for wherever it could show, on both ends: command lines and environments of all
 * processes while it ran, output, record, plan, journals, support archive, errors. cp1 is entered with a password and wants one
 * for sudo; w1 is entered with a key.
 */

const hosts = ['cp1', 'w1']
const dir = mkdtempSync(join(tmpdir(), 'k8snet-secrets-'))
const file = join(dir, 'inventory.yaml')
const env = { XDG_STATE_HOME: join(dir, 'state') }
const sampler = readFileSync('test/cluster/sampler.py', 'utf8')
const random = () => randomBytes(8).toString('hex')
/** In the environment of a process on both ends: what a sampler must find, or it finds nothing. */
const decoy = `decoy${random()}`

/** By what each secret is known. */
const secrets = new Map<string, string>([['password', `login${random()}`]])
const everything = new Map<string, string>()

/** Runs k8snet with the passwords on file descriptors, as a careful user does. */
function withPasswords(args: readonly string[]) {
  writeFileSync(join(dir, 'password'), `${secrets.get('password')}\n`, { mode: 0o600 })
  const words = [...args, '--password-fd', '3', '--become-password-fd', '4']
  const line = `exec "$0" dist/cli.js "$@" 3<${dir}/password 4<${dir}/password`
  return run('sh', ['-c', line, process.execPath, ...words], { env })
}

async function must(host: string, script: string): Promise<string> {
  const ended = await onHost(host, script)
  expect(ended.code, `${host}: ${ended.err}`).toBe(0)
  return ended.out
}

/** The lines of a PEM's body: each is as good as the whole. */
const bodyOf = (pem: string) => pem.split('\n').filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line))

let local: ChildProcess
let decoys: ChildProcess
beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const lab = await k8snet(['lab', 'up', '--hosts', '2'], { echo: true })
  expect(lab.code, lab.err).toBe(0)
  const inventory = parse(readFileSync('vagrant/inventory.yaml', 'utf8'))
  const keyFile: string = inventory.hosts.w1.key
  for (const [i, line] of bodyOf(readFileSync(keyFile, 'utf8')).entries()) secrets.set(`private key, line ${i}`, line)
  Object.assign(inventory.hosts.cp1, { user: 'op', key: undefined })
  writeFileSync(file, stringify(inventory))
  await must(
    'cp1',
    `useradd -m op && echo 'op:${secrets.get('password')}' | chpasswd && echo 'op ALL=(ALL) ALL' >/etc/sudoers.d/op
     printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/00-password.conf && systemctl reload ssh`,
  )
  for (const host of hosts)
    await must(
      host,
      `cat >/root/sampler.py <<'END'\n${sampler}\nEND
       setsid python3 /root/sampler.py /root/stop >/dev/null 2>&1 &
       setsid env DECOY=${decoy} sleep 3600 >/dev/null 2>&1 &`,
    )
  local = spawn('python3', ['test/cluster/sampler.py', join(dir, 'stop')], { stdio: 'ignore' })
  decoys = spawn('sleep', ['3600'], { stdio: 'ignore', env: { DECOY: decoy } })
})
afterAll(async () => {
  local?.kill()
  decoys?.kill()
  await k8snet(['lab', 'down'])
  rmSync(dir, { recursive: true, force: true })
})

describe('a whole up', () => {
  it('works with passwords, and plans, runs, verifies and answers for the search', async () => {
    const plan = await withPasswords(['plan', file, '--out', join(dir, 'plan.json')])
    expect(plan.code, plan.err).toBe(0)
    const up = await withPasswords(['up', file, '--yes', '-v'])
    expect(up.code, up.err).toBe(0)
    await must('cp1', 'mv /etc/sudoers.d/op /root/op.sudoers')
    const wrong = await withPasswords(['status', file])
    await must('cp1', 'mv /root/op.sudoers /etc/sudoers.d/op')
    expect(wrong.code, wrong.out).toBe(4)
    expect(wrong.err).toContain('SUDO_FAILED')
    for (const [name, ended] of Object.entries({ plan, up, wrong }))
      everything.set(`the output of ${name}`, ended.out + ended.err)
    everything.set('the plan file', readFileSync(join(dir, 'plan.json'), 'utf8'))
  })

  it('has its secrets known to this test', async () => {
    const tokens = await must(
      'cp1',
      `${kubectl} -n kube-system get secrets --field-selector type=bootstrap.kubernetes.io/token -o jsonpath='{range .items[*]}{.data.token-secret}{"\\n"}{end}'`,
    )
    const found = tokens
      .trim()
      .split('\n')
      .map((text) => Buffer.from(text, 'base64').toString())
    expect(found.length).toBeGreaterThan(0)
    for (const [i, token] of found.entries()) {
      expect(token).toMatch(/^[a-z0-9]{16}$/)
      secrets.set(`join token ${i}`, token)
    }
    for (const path of ['ca.key', 'etcd/ca.key', 'sa.key', 'front-proxy-ca.key'])
      for (const [i, line] of bodyOf(await must('cp1', `cat /etc/kubernetes/pki/${path}`)).entries())
        secrets.set(`${path}, line ${i}`, line)
    const admin = /client-key-data: (\S+)/.exec(await must('cp1', 'cat /etc/kubernetes/admin.conf'))![1]!
    secrets.set('client-key-data', admin.slice(0, 200))
    expect(secrets.size).toBeGreaterThan(40)
  })

  it('was watched on both ends', async () => {
    for (const host of hosts) {
      const seen = await must(
        host,
        'touch /root/stop; for i in $(seq 600); do [ ! -e /root/stop.seen ] || break; sleep 0.1; done; cat /root/stop.seen',
      )
      everything.set(`processes of ${host}`, seen)
      expect(seen, host).toContain(decoy)
      expect(seen, host).toMatch(/kubeadm\n(init|join)/)
    }
    writeFileSync(join(dir, 'stop'), '')
    for (let i = 0; i < 600 && !existsSync(join(dir, 'stop.seen')); i++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    everything.set('processes of this machine', readFileSync(join(dir, 'stop.seen'), 'latin1'))
    expect(everything.get('processes of this machine')).toContain(decoy)
    expect(everything.get('processes of this machine')).toContain('--become-password-fd')
  })

  it('left a record, journals and logs to search', async () => {
    const runs = join(dir, 'state/k8snet/runs')
    const records = readdirSync(runs, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(ndjson|json)$/.test(name),
    )
    expect(records.length).toBeGreaterThanOrEqual(2)
    for (const name of records) everything.set(`record ${name}`, readFileSync(join(runs, name), 'utf8'))
    for (const host of hosts) {
      const kept = await must(host, 'find /var/lib/k8snet /run/k8snet -type f -size -200k -exec cat {} +')
      expect(kept).toContain('"step"')
      everything.set(`what k8snet keeps on ${host}`, kept)
      everything.set(
        `the logs of ${host}`,
        await must(host, 'journalctl --no-pager -o cat; cat /var/log/*.log 2>/dev/null || :'),
      )
      everything.set(
        `/tmp and the home of root on ${host}`,
        await must(
          host,
          'find /tmp /root /home -type f -size -200k -not -path "*/.kube/*" -not -name "sampler.py" -not -name "stop.seen" -exec cat {} + || :',
        ),
      )
    }
  })

  it('can be asked for a report of the process, which holds none either', async () => {
    const words = [
      '--report-on-signal',
      '--report-signal=SIGUSR2',
      '--report-filename=report.json',
      `--report-directory=${dir}`,
    ]
    const line = `exec "$0" "$@" 3<${dir}/password 4<${dir}/password`
    const child = spawn(
      'sh',
      [
        '-c',
        line,
        process.execPath,
        ...words,
        'dist/cli.js',
        'verify',
        file,
        '--password-fd',
        '3',
        '--become-password-fd',
        '4',
      ],
      { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let said = ''
    child.stderr.on('data', (data: Buffer) => {
      said += data
      if (said.includes('verify: ') && !existsSync(join(dir, 'report.json'))) child.kill('SIGUSR2')
    })
    await new Promise((resolve) => child.on('close', resolve))
    everything.set('process.report', readFileSync(join(dir, 'report.json'), 'utf8'))
  })
})

/** A secret planted in every source of `collect`; all of them hold this, and nothing else does. */
const canary = `c4${random()}`.slice(0, 16)
const planted = [
  `echo "# token: abcdef.${canary}" >>/etc/hosts`,
  `printf '# password = "${canary}"\\n' >>/etc/crictl.yaml`,
  `printf '\\n# client-key-data: ${canary}\\n' >>/var/lib/kubelet/config.yaml`,
  `mkdir -p /etc/kubernetes/manifests; printf '# Authorization: Bearer ${canary}\\n' >/etc/kubernetes/manifests/canary.yaml`,
  `printf '{"password": "${canary}"}' >/etc/cni/net.d/99-canary.off`,
  `echo "TOKEN=${canary}" >/run/flannel/canary.env`,
  `printf -- '-----BEGIN EC PRIVATE KEY-----\\n${canary.repeat(4)}\\n-----END EC PRIVATE KEY-----\\n' >/run/flannel/key`,
  `echo "# certificate-key: ${canary}" >>/var/lib/k8snet/artifacts`,
  `echo "k8snet-canary: token abcdef.${canary}" >/dev/kmsg`,
  `ip link set flannel.1 alias 'password=${canary}'`,
  `iptables -A INPUT -m comment --comment 'token=${canary}' && ip6tables -A INPUT -m comment --comment 'token=${canary}'`,
  `nft 'add table inet canary { comment "secret: ${canary}"; }'`,
  `for unit in kubelet containerd ssh; do printf 'MESSAGE=kubeadm join --token abcdef.${canary}\\nOBJECT_SYSTEMD_UNIT=%s.service\\n' "$unit" | logger --journald; done`,
  `for log in /var/log/pods/kube-*/*/0.log; do echo 'https://user:${canary}@example.com' >>"$log"; done`,
]
const plantedInCluster = [
  `${kubectl} annotate node w1 example.com/note='api-key: ${canary}'`,
  `${kubectl} -n kube-system create configmap canary --from-literal=password=${canary} --from-literal=text='join --token abcdef.${canary}'`,
  `${kubectl} -n kube-system create secret generic canary --from-literal=anything=${canary}`,
  `${kubectl} create -f - <<'END'
{"apiVersion":"v1","kind":"Event","metadata":{"name":"canary","namespace":"default"},"involvedObject":{"kind":"Node","name":"w1"},"type":"Normal","reason":"Canary","message":"token abcdef.${canary}"}
END`,
]

describe('collect', () => {
  it('makes an archive of all hosts, in which every source is and no secret that was planted in it', async () => {
    for (const host of hosts) await must(host, `set -e\n${planted.join('\n')}`)
    await must('cp1', `set -e\n${plantedInCluster.join('\n')}`)
    const ended = await withPasswords(['collect', file, '--out', join(dir, 'support.tar.gz'), '-o', 'json'])
    expect(ended.code, ended.err).toBe(0)
    expect(JSON.parse(ended.out).hosts.map(({ name }: { name: string }) => name)).toEqual(hosts)
    const unpacked = join(dir, 'support')
    execFileSync('sh', [
      '-c',
      `mkdir ${unpacked} && tar -xzf ${dir}/support.tar.gz -C ${unpacked} --strip-components 1`,
    ])
    const names = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
    for (const name of names.filter((name) => /\.|\/(logs|network|system|cluster|files|runtime)\//.test(name))) {
      const path = join(unpacked, name)
      const text = readdirSync(join(path, '..'), { withFileTypes: true })
        .find((it) => join(it.parentPath, it.name) === path)
        ?.isFile()
      if (text) everything.set(`archive ${name}`, readFileSync(path, 'utf8'))
    }
    for (const source of [
      'files/etc/hosts',
      'files/etc/crictl.yaml',
      'files/var/lib/kubelet/config.yaml',
      'files/etc/kubernetes/manifests/canary.yaml',
      'files/etc/cni/net.d/99-canary.off',
      'files/run/flannel/canary.env',
      'files/run/flannel/key',
      'files/var/lib/k8snet/artifacts',
      'system/dmesg',
      'network/link',
      'network/iptables-save',
      'network/ip6tables-save',
      'network/nft',
      'logs/kubelet',
      'logs/containerd',
      'logs/ssh',
    ])
      for (const host of hosts)
        expect(everything.get(`archive ${host}/${source}`), `${host}/${source}`).toContain('***')
    for (const source of ['nodes.describe', 'kube-system.configmaps', 'events'])
      expect(everything.get(`archive cp1/cluster/${source}`), source).toContain('***')
    for (const name of everything.keys())
      if (name.startsWith('archive ')) expect(everything.get(name), name).not.toContain(canary)
  })
})

describe('every secret', () => {
  it('is in none of all these places', () => {
    expect(everything.size).toBeGreaterThan(100)
    const leaks = [...everything].flatMap(([place, text]) =>
      [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => `${name} in ${place}`),
    )
    expect(leaks).toEqual([])
  })
})
