import { exits, Failure } from '../model/trouble.ts'
import type { Container } from './containers.ts'
import type { Lab } from './lab.ts'
import { must, tools } from './tools.ts'

const keyFile = '/etc/ssh/ssh_host_ed25519_key.pub'

/**
 * The public host key of a host, read from the host itself and not from the network: through Docker, or, for a virtual machine,
 * over the connection that Vagrant made when it put its own key there.
 */
export async function publicKeyOf(lab: Lab, name: string, container?: string): Promise<string> {
  const $ = tools(lab)
  const read = container
    ? $`docker exec ${container} cat ${keyFile}`
    : $`vagrant ssh ${name} --no-tty --command ${`cat ${keyFile}`}`
  const [kind, key] = (await must(lab, `reading the host key of ${name}`, read)).trim().split(/\s+/)
  if (kind === 'ssh-ed25519' && key) return `${kind} ${key}`
  throw new Failure(exits.someHosts, {
    code: 'LAB_TOOL',
    message: 'the host shows no ed25519 host key',
    where: name,
    fix: 'k8snet lab down, then k8snet lab up',
  })
}

/** Waits until the host's systemd has started everything, and says what it could not start. */
export async function waitForBoot(lab: Lab, { id, host }: Container): Promise<void> {
  const $ = tools(lab)
  const boot = await $`docker exec ${id} timeout 60 systemctl is-system-running --wait`
  if (boot.exitCode === 0) return
  const failed = await $`docker exec ${id} systemctl list-units --failed --plain --no-legend`
  const units = failed.stdout.split('\n').flatMap((line) => line.split(' ')[0] || [])
  lab.say(
    `${host} is ${boot.stdout.trim() || 'not answering'}${units.length > 0 ? `: ${units.join(', ')} failed` : ''}`,
  )
}
