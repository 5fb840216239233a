import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBundle } from '../dist/bundle/manifest.js'
import { hosts as labHosts } from './lab.mjs'
import { many } from './many.mjs'
import { k8snet, pair, timed } from './pair.mjs'

/** Files that are the same on all hosts of a role. */
const files = [
  '/etc/containerd/config.toml',
  '/etc/systemd/system/containerd.service',
  '/etc/crictl.yaml',
  '/etc/systemd/system/kubelet.service',
  '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
  '/etc/k8snet/kubelet.d/10-host.conf',
  '/etc/modules-load.d/k8snet.conf',
  '/etc/sysctl.d/90-k8snet.conf',
]

/** The second `up`, without verify, against the same checks by hand over one `ssh` per host, and by Ansible. */
export default async function noop({ rounds = 7 }) {
  const fleet = await many(50)
  try {
    const known = await knownFor(fleet.config)
    for (const [few, goal] of [
      [1, 1.5],
      [10, 1],
      [50, 1],
    ]) {
      const { file, names } = fleet.first(few)
      await k8snet('plan', file, '--detailed-exitcode')
      await pair({
        name: `noop-${few}`,
        goal,
        rounds,
        plain: async () =>
          (
            await timed('bash', [
              'bench/plain-noop.sh',
              fleet.config,
              known.dir,
              known.binaries,
              known.images,
              ...names,
            ])
          ).ms,
        ours: async () => (await k8snet('up', file, '--yes', '--no-verify')).ms,
      })
    }
    await ansible(fleet, known)
  } finally {
    await fleet.stop()
  }
}

/** Ten hosts by Ansible, with what makes it fast: pipelining and as many forks as hosts. The ratio is Ansible's time over ours. */
async function ansible(fleet, known) {
  if (!existsSync('/usr/bin/ansible-playbook')) return console.log('ansible-core is not installed: not compared')
  const { file, names } = fleet.first(10)
  const inventory = join(known.dir, 'ansible.ini')
  writeFileSync(inventory, names.map((name, i) => `${name} role=${i === 0 ? 'leader' : 'worker'}\n`).join(''))
  const config = join(known.dir, 'ansible.cfg')
  writeFileSync(
    config,
    `[defaults]\nforks = 50\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n[ssh_connection]\npipelining = True\ncontrol_path_dir = ${known.dir}/control\nssh_args = -F ${fleet.config} -o ControlMaster=auto -o ControlPersist=60s\n`,
  )
  const extra = join(known.dir, 'extra.json')
  writeFileSync(extra, JSON.stringify(known.variables))
  const theirs = await timed('ansible-playbook', ['-i', inventory, '-e', `@${extra}`, 'bench/noop.yaml'], {
    env: { ...process.env, ANSIBLE_CONFIG: config },
  })
  if (!/changed=0/.test(theirs.out) || /changed=[1-9]/.test(theirs.out)) throw new Error(theirs.out.slice(-2000))
  const ours = await k8snet('up', file, '--yes', '--no-verify')
  console.log(`10 hosts: Ansible ${(theirs.ms / 1000).toFixed(1)} s, k8snet ${(ours.ms / 1000).toFixed(2)} s`)
  console.log(`ratio noop-ansible ${(theirs.ms / ours.ms).toFixed(0)} goal 40 (more is better)`)
}

/** What the plain tools compare with, taken from hosts that are as they should be. */
async function knownFor(config) {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-noop-'))
  const { artifacts } = await readBundle(labHosts().source.bundle)
  const worker = artifacts.filter(({ roles }) => roles.includes('worker'))
  const binaries = worker
    .filter(({ kind }) => kind !== 'image')
    .map(({ kind, name, size }) => `${size} ${kind === 'cni' ? '/opt/cni/bin' : '/usr/local/bin'}/${name}`)
    .join('\n')
  const images = worker
    .filter(({ kind }) => kind === 'image')
    .map(({ name }) => name)
    .join('\n')
  const sums = {}
  for (const [role, host] of [
    ['leader', 'cp1'],
    ['worker', 'm-1'],
  ]) {
    sums[role] = (await timed('ssh', ['-F', config, host, 'sudo', 'sha256sum', ...files])).out.trim()
    writeFileSync(join(dir, `${role}.sums`), sums[role])
    mkdirSync(join(dir, role))
    const copy = `ssh -F ${config} ${host} sudo tar -cPf - ${files.join(' ')} | tar -xf - -C ${join(dir, role)}`
    await timed('sh', ['-c', copy])
  }
  const save = (name, text) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  return {
    dir,
    binaries: save('binaries', binaries),
    images: save('images', images),
    variables: { known: dir, binaries, images },
  }
}
