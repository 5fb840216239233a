import { exits, Failure } from '../model/trouble.ts'
import type { Lab } from './lab.ts'
import { type Provider, there } from './provider.ts'
import { must, patiently, tools, works } from './tools.ts'

/** A package of Debian and Ubuntu, and the file by which one knows that what it brings is there, whoever brought it. */
interface Need {
  readonly package: string
  readonly gives: string
}

const command = (name: string, from = name): Need => ({ package: from, gives: name })
const file = (path: string, from: string): Need => ({ package: from, gives: path })

/** What the lab needs, by provider. */
export const labNeeds: Readonly<Record<Provider, readonly Need[]>> = {
  virtualbox: [command('vagrant'), command('ssh', 'openssh-client')],
  libvirt: [
    command('vagrant'),
    command('ssh', 'openssh-client'),
    file('/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json', 'vagrant-libvirt'),
  ],
  docker: [
    command('dockerd', 'docker.io'),
    command('vagrant'),
    command('mmdebstrap'),
    file('/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'),
    command('iptables'),
    command('ssh', 'openssh-client'),
  ],
}

/** What building the bundle from source needs, besides Go. */
export const buildNeeds: readonly Need[] = [
  command('gcc'),
  command('mmdebstrap'),
  file('/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'),
  file('/usr/include/stdlib.h', 'libc6-dev'),
  file('/usr/include/seccomp.h', 'libseccomp-dev'),
]

/** The packages of those needs that are not met. */
export async function missing(lab: Lab, needs: readonly Need[]): Promise<string[]> {
  const $ = tools(lab)
  const met = await Promise.all(
    needs.map(({ gives }) => (gives.startsWith('/') ? there(gives) : works(lab, $`command -v ${gives}`))),
  )
  return [...new Set(needs.filter((_, i) => !met[i]).map((need) => need.package))]
}

/** Installs what is missing with apt-get, and says so before. Returns what it installed. */
export async function install(lab: Lab, needs: readonly Need[]): Promise<string[]> {
  const packages = await missing(lab, needs)
  if (packages.length === 0) return []
  const $ = tools(lab)
  if (!(await works(lab, $`command -v apt-get`))) {
    throw new Failure(exits.badInput, {
      code: 'LAB_TOOL',
      message: `this machine lacks ${packages.join(', ')}, and has no apt-get to install it with`,
      fix: 'install these by hand (names of Debian packages) and try again',
    })
  }
  const how = lab.sudo.length > 0 ? 'sudo apt-get' : 'apt-get'
  lab.say(`installing with ${how}: ${packages.join(' ')}`)
  const apt = [
    ...lab.sudo,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-q',
    '-y',
    '-o',
    'DPkg::Lock::Timeout=300',
  ]
  await patiently(lab, 'apt-get update', 20, must(lab, 'apt-get update', $`${apt} update`))
  // Recommended packages would bring a whole libvirt with Vagrant.
  await patiently(
    lab,
    'apt-get install',
    60,
    must(lab, 'apt-get install', $`${apt} install --no-install-recommends ${packages}`),
  )
  return packages
}
