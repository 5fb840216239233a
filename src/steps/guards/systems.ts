import { coerce, satisfies } from 'semver'
import { type Files, files, linesOf, paths } from '../../facts/files.ts'
import { platform } from '../../facts/machine.ts'
import { type Lacking, lacking, packages } from '../../facts/packages.ts'
import type { Fact } from '../../model/fact.ts'
import type { Host } from '../../model/inventory.ts'
import { guard } from '../../model/step.ts'
import type { Trouble } from '../../model/trouble.ts'
import { needed } from '../packages.ts'

/** Operating systems that k8snet prepares, by ID of os-release, with the oldest VERSION_ID. */
const supported: Readonly<Record<string, number>> = {
  debian: 12,
  ubuntu: 22.04,
  rhel: 9,
  centos: 9,
  rocky: 9,
  almalinux: 9,
  ol: 9,
  fedora: 42,
}

/** The operating system is one that k8snet knows how to prepare. */
export const systems = guard({
  title: 'The operating system is supported',
  asks: () => ({ files }),
  look: (all) =>
    [...all].flatMap(([host, { files }]) => {
      const { ID = '', VERSION_ID = '', PRETTY_NAME = `${ID} ${VERSION_ID}` } = osRelease(files)
      const oldest = supported[ID]
      // a system without a number is a rolling one, newer than all of them
      if (oldest !== undefined && (VERSION_ID === '' || Number.parseFloat(VERSION_ID) >= oldest)) return []
      return [
        {
          code: 'OS_UNSUPPORTED',
          message: `${host.name} runs ${PRETTY_NAME.trim() || 'an unknown system'}, which k8snet does not prepare`,
          where: host.name,
          evidence: [{ source: paths.osRelease, line: `ID=${ID} VERSION_ID=${VERSION_ID}` }],
          fix: `use one of: ${Object.entries(supported)
            .map(([id, version]) => `${id} ${version === 22.04 ? '22.04' : version}`)
            .join(', ')}, or newer`,
        },
      ]
    }),
})

/** The kernel is new enough: 5.4, and 5.13 for kube-proxy on nftables. */
export const kernels = guard({
  title: 'The kernel is supported',
  asks: () => ({ platform }),
  look: (all, inventory) => {
    const oldest = inventory.cluster.proxy === 'nftables' ? '5.13.0' : '5.4.0'
    return [...all]
      .filter(([, { platform }]) => !satisfies(coerce(platform.kernel) ?? '0.0.0', `>=${oldest}`))
      .map(([host, { platform }]) => ({
        code: 'KERNEL_UNSUPPORTED',
        message: `the kernel of ${host.name} is ${platform.kernel}; ${oldest} is the oldest that works`,
        where: host.name,
        evidence: [{ source: 'uname -r', line: platform.kernel }],
        fix: 'install a newer kernel and reboot',
      }))
  },
})

interface Arch {
  readonly is: string
  readonly want: string
}

/** The bundle's programs run on the host's processor. */
export const architectures = guard({
  title: "The bundle is for the hosts' architecture",
  asks: ({ bundle }) => ({
    arch: {
      ask: platform.ask,
      parse: (out) => ({ is: platform.parse(out).arch, want: bundle.arch }),
    } satisfies Fact<Arch>,
  }),
  look: (all) =>
    [...all]
      .filter(([, { arch }]) => arch.is !== arch.want)
      .map(([host, { arch }]) => ({
        code: 'BUNDLE_ARCH',
        message: `${host.name} is ${arch.is}, the bundle is for ${arch.want}`,
        where: host.name,
        evidence: [{ source: 'uname -m', line: arch.is }],
        fix: `make a bundle for ${arch.is}: k8snet bundle create --arch ${arch.is}`,
      })),
})

/** What kubeadm, the CNI plugins and k8snet's own scripts call is there, or its packages can be installed (step packages). */
export const commands = guard({
  title: 'The hosts have the commands that Kubernetes calls, or their distribution brings them',
  asks: ({ inventory }) => ({ lacking: lacking(needed(inventory)) }),
  look: (all) =>
    [...all]
      .filter(([, { lacking }]) => lacking.commands.length > 0 && !comes(lacking))
      .map(([host, { lacking }]) => troubleOf(host, lacking)),
})

/** Do the packages that can be installed bring everything? systemd is brought by none. */
function comes({ commands, adds }: Lacking): boolean {
  return adds.length > 0 && !commands.includes('systemd')
}

function troubleOf({ name }: Host, { commands, tool, names, broken, said }: Lacking): Trouble {
  const evidence = commands.map((command) => ({ source: `command -v ${command}`, line: 'not found' }))
  const quoted = said.slice(0, 4).map((line) => ({ source: `${tool} install ${names.join(' ')}`, line }))
  if (broken) {
    return {
      code: 'PACKAGES_BROKEN',
      message: `${name} lacks ${commands.join(', ')}, and an installation of packages was broken off there`,
      where: name,
      evidence: [...evidence, ...quoted],
      fix: `run dpkg --configure -a on ${name}, then the command again`,
    }
  }
  const wanted = [...new Set(commands.map((command) => packagesOf(command)))].join(', ')
  return {
    code: 'COMMAND_MISSING',
    message: `${name} lacks ${commands.join(', ')}${quoted.length > 0 ? `, and ${tool} cannot install ${names.join(', ')}` : ''}`,
    where: name,
    evidence: [...evidence, ...quoted],
    fix:
      quoted.length > 0
        ? `let ${name} reach a repository that has ${names.join(', ')}, or install it by hand`
        : `install ${wanted}`,
  }
}

/** For a host whose package manager is not known: Debian's name, then the RHEL family's where it differs. */
function packagesOf(command: string): string {
  if (command === 'systemd') return 'an installation that was booted by systemd'
  const [apt, dnf] = packages[command] ?? ['coreutils', 'coreutils']
  return apt === dnf ? apt : `${apt} (RHEL: ${dnf})`
}

function osRelease(found: Files): Record<string, string> {
  return Object.fromEntries(
    linesOf(found, paths.osRelease)
      .map((line) => /^([A-Z_]+)=["']?(.*?)["']?$/.exec(line))
      .filter((match) => match !== null)
      .map(([, key, value]) => [key!, value!]),
  )
}
