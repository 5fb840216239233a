import { spawn } from 'node:child_process'
import { quote } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { readJson } from './files.ts'
import type { LabHost } from './inventory.ts'
import { type Lab, paths } from './lab.ts'

/**
 * Runs a command on a host of the lab, or a login shell, with this process's own stdin and outputs. Resolves with its status.
 * One word is a line of shell; several are one command, each word as it stands.
 *
 * @throws Failure HOST_UNKNOWN when the lab has no such host
 */
export async function ssh(lab: Lab, name: string, command: readonly string[]): Promise<number> {
  const hosts = (await readJson<LabHost[]>(paths.hosts(lab))) ?? []
  const host = hosts.find((it) => it.name === name)
  if (!host) {
    const fix = hosts.length > 0 ? `one of ${hosts.map((it) => it.name).join(', ')}` : 'k8snet lab up'
    throw new Failure(exits.badInput, { code: 'HOST_UNKNOWN', message: `the lab has no host ${name}`, fix })
  }
  return await new Promise((resolve, reject) => {
    const child = spawn('ssh', sshWords(host, paths.knownHosts(lab), command), {
      stdio: 'inherit',
      env: lab.env as NodeJS.ProcessEnv,
    })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? exits.interrupted))
  })
}

/** The arguments of the system's ssh: the host's key pinned, nothing of the user's own configuration. */
export function sshWords(host: LabHost, knownHosts: string, command: readonly string[]): string[] {
  const options = {
    UserKnownHostsFile: `"${knownHosts}"`,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    IdentitiesOnly: 'yes',
    PasswordAuthentication: 'no',
    LogLevel: 'ERROR',
  }
  const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const words = command.length > 1 ? [command.map(quote).join(' ')] : command
  return [
    '-F',
    '/dev/null',
    ...flags,
    '-i',
    host.key,
    '-p',
    String(host.port),
    `${host.user}@${host.address}`,
    ...(words.length > 0 ? ['--', ...words] : []),
  ]
}
