import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  type Dirent,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Sshd, startSshd } from './sshd.ts'

/** An sshd as on a machine of its own, as far as jobs go: /run/k8snet and the boot id are its own, in a mount namespace. */
export interface Apart extends Sshd {
  /** Where its /run/k8snet can be reached from outside. */
  readonly run: string
  /** Makes it seem to have been restarted: nothing is left in /run, and the boot id is a new one. */
  reboot(): void
  boot(): string
  /** All that lies in its /run/k8snet. */
  left(): string[]
  /** Puts a script in the place of a program of /usr/bin, for it alone; the script finds the program itself as $real. */
  replace(name: string, script: string): void
}

/** `size`: of its /run/k8snet; `readOnly`: nothing can be written there. */
export async function startApart(
  options: { size?: string; readOnly?: boolean; config?: readonly string[] } = {},
): Promise<Apart> {
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-apart-'))
  // Ordinary users may run what stands in the place of a program.
  chmodSync(dir, 0o755)
  const boot = join(dir, 'boot_id')
  const newBoot = () => writeFileSync(boot, `${crypto.randomUUID()}\n`)
  newBoot()
  const mounts = [
    'mount --make-rprivate /',
    'mount -t tmpfs tmpfs /var/lib',
    // A mount ends when the directory under it is removed, be it in another namespace: so that directory is its own too.
    'mount -t tmpfs tmpfs /run',
    'mkdir -m 0755 /run/sshd',
    'mkdir /run/k8snet',
    `mount -t tmpfs -o mode=0700,size=${options.size ?? '64m'}${options.readOnly ? ',ro' : ''} tmpfs /run/k8snet`,
    `mount --bind ${boot} /proc/sys/kernel/random/boot_id`,
    'echo ready',
    'exec sleep infinity',
  ]
  // It outlives the sshd, as a machine does.
  const machine = spawn('unshare', ['--mount', 'sh', '-c', mounts.join(' && ')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(machine.stdout, 'data')
  const sshd = await startSshd(options.config, ['nsenter', '--mount', `--target=${machine.pid}`])
  const run = `/proc/${machine.pid}/root/run/k8snet`
  return {
    ...sshd,
    run,
    left: () => namesIn(run).sort(),
    boot: () => readFileSync(boot, 'utf8').trim(),
    reboot: () => {
      for (const name of readdirSync(run)) rmSync(join(run, name), { recursive: true, force: true, maxRetries: 10 })
      newBoot()
    },
    replace: (name, script) => {
      const [real, other] = [join(dir, `${name}.real`), join(dir, name)]
      copyFileSync(`/usr/bin/${name}`, real)
      writeFileSync(other, `#!/bin/sh\nreal=${real}\n${script}\n`, { mode: 0o755 })
      execFileSync('nsenter', ['--mount', `--target=${machine.pid}`, 'mount', '--bind', other, `/usr/bin/${name}`])
    },
    stop: async () => {
      await sshd.stop()
      machine.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** All that lies under a directory where others remove things meanwhile. */
function namesIn(dir: string): string[] {
  const at = (place: string): Dirent[] => {
    try {
      return readdirSync(join(dir, place), { withFileTypes: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || place === '') throw error
      return []
    }
  }
  const under = (place: string): string[] =>
    at(place).flatMap((it) => {
      const name = join(place, it.name)
      return it.isDirectory() ? [name, ...under(name)] : [name]
    })
  return under('')
}

/** The command lines and environments of all processes of this machine, as one text. */
export function processes(): string {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'latin1')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `${read(`/proc/${pid}/cmdline`)}\n${read(`/proc/${pid}/environ`)}`)
    .join('\n')
}
