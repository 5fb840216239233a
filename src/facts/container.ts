import type { Fact } from '../model/fact.ts'

/**
 * Is the host itself a container (as in a lab), whose kernel and swap belong to the machine around it? systemd notes the
 * manager's name in /run/systemd/container; Docker and Podman leave a file.
 */
export const container: Fact<boolean> = {
  ask: '[ -s /run/systemd/container ] || [ -e /.dockerenv ] || [ -e /run/.containerenv ] && echo yes || echo no',
  parse: (out) => out.trim() === 'yes',
}
