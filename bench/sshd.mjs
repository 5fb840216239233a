import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A real sshd on loopback for root, with keys of its own. Nothing of the machine's own sshd is touched. */
export async function startSshd() {
  mkdirSync('/run/sshd', { recursive: true })
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-sshd-'))
  const [key, hostKey] = ['id', 'host'].map((name) => join(dir, name))
  for (const path of [key, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
  copyFileSync(`${key}.pub`, join(dir, 'authorized_keys'))
  const port = await freePort()
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${dir}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'MaxStartups 500',
    'Subsystem sftp internal-sftp',
    '',
  ]
  writeFileSync(join(dir, 'sshd_config'), config.join('\n'))
  const child = spawn('/usr/sbin/sshd', ['-D', '-f', join(dir, 'sshd_config')], { stdio: 'ignore' })
  await listening(port)
  const fingerprint = /SHA256:\S+/.exec(execFileSync('ssh-keygen', ['-lf', hostKey], { encoding: 'utf8' }))[0]
  return {
    dir,
    port,
    key,
    /** The server as a host of an inventory. */
    host: (name) => ({
      name,
      role: 'worker',
      address: '127.0.0.1',
      port,
      nodeIP: '127.0.0.1',
      user: 'root',
      key,
      become: 'none',
      hostKey: fingerprint,
      knownHosts: '/dev/null',
    }),
    stop: () => child.kill(),
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function listening(port) {
  for (let i = 0; i < 200; i += 1) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('sshd did not start')
}
