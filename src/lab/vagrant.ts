import type { Lab } from './lab.ts'
import type { Provider } from './provider.ts'
import { parseSshConfig, type SshHost } from './ssh-config.ts'
import { must, patiently, tools } from './tools.ts'

/** What Vagrant says of every host, every time, and nobody needs to know. */
const chatter = /already provisioned|flag to force|Enabling network interfaces/

/** Makes and starts the hosts of the Vagrantfile, and says what Vagrant says of each. */
export async function vagrantUp(lab: Lab, provider: Provider): Promise<void> {
  const $ = tools(lab)
  lab.say('starting the hosts with Vagrant')
  const tell = (line: string) => {
    const said = /^==> (\S+): (.+)/.exec(line)
    if (said && !chatter.test(line)) lab.say(`${said[1]}: ${said[2]}`)
  }
  await patiently(
    lab,
    'vagrant up',
    provider === 'docker' ? 15 : 180,
    must(lab, 'vagrant up', $`vagrant up --provider=${provider}`, tell),
  )
}

/** Removes hosts; all without names. */
export async function vagrantDestroy(lab: Lab, names: readonly string[] = []): Promise<void> {
  const $ = tools(lab)
  await must(lab, 'vagrant destroy', $`vagrant destroy --force ${names}`)
}

/** How SSH reaches the hosts. */
export async function sshHosts(lab: Lab): Promise<SshHost[]> {
  const $ = tools(lab)
  return parseSshConfig(await must(lab, 'vagrant ssh-config', $`vagrant ssh-config`))
}

/** The state of each host, by name, as Vagrant calls it: running, stopped, poweroff, not_created. */
export async function vagrantStates(lab: Lab): Promise<Map<string, string>> {
  const $ = tools(lab)
  return parseStates(await must(lab, 'vagrant status', $`vagrant status --machine-readable`))
}

/** Reads `vagrant status --machine-readable`: TIME,HOST,KIND,VALUE per line. */
export function parseStates(text: string): Map<string, string> {
  const fields = text.split('\n').map((line) => line.trim().split(','))
  return new Map(
    fields.filter(([, host, kind]) => host && kind === 'state').map(([, host = '', , state = '']) => [host, state]),
  )
}
