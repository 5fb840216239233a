import type { Fact } from '../model/fact.ts'
import { apt, dnf } from '../model/packages.ts'
import { sh } from '../model/shell.ts'

/** Commands that a host lacks, and what its package manager says of the packages that bring them. */
export interface Lacking {
  readonly commands: readonly string[]
  /** null: one that k8snet does not know. */
  readonly tool: 'apt' | 'dnf' | null
  /** The packages that bring them. */
  readonly names: readonly string[]
  /** Everything that would come new. Empty where nothing is lacking, or where it cannot be installed. */
  readonly adds: readonly { readonly name: string; readonly version: string }[]
  /** An installation of somebody's was broken off; nothing can be installed before that is mended. */
  readonly broken: boolean
  /** What the package manager said, where it cannot install them. */
  readonly said: readonly string[]
}

/** Which package brings a command: of Debian and Ubuntu, and of the RHEL family. */
export const packages: Readonly<Record<string, readonly [apt: string, dnf: string]>> = {
  awk: ['mawk', 'gawk'],
  cmp: ['diffutils', 'diffutils'],
  getent: ['libc-bin', 'glibc-common'],
  grep: ['grep', 'grep'],
  ip: ['iproute2', 'iproute'],
  iptables: ['iptables', 'iptables-nft'],
  losetup: ['mount', 'util-linux-core'],
  modprobe: ['kmod', 'kmod'],
  mount: ['mount', 'util-linux-core'],
  nft: ['nftables', 'nftables'],
  nsenter: ['util-linux', 'util-linux-core'],
  sed: ['sed', 'sed'],
  tar: ['tar', 'tar'],
  umount: ['mount', 'util-linux-core'],
}
const otherwise = ['coreutils', 'coreutils'] as const

/**
 * Which of these commands the host lacks; `systemd` stands for a host that was booted by it, which no package brings. Only where
 * one is lacking the package manager is asked, with lists fetched anew into a directory of its own, which takes seconds.
 */
export function lacking(commands: readonly string[]): Fact<Lacking> {
  const words = commands.map((command) => [command, ...(packages[command] ?? otherwise)].join(':'))
  return {
    ask: `PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tool=
! command -v dnf >/dev/null || tool=dnf
! command -v apt-get >/dev/null || tool=apt
set --
for c in ${sh`${words}`}; do
  ! command -v "\${c%%:*}" >/dev/null || continue
  echo "lacks \${c%%:*}"
  c=\${c#*:}
  case $tool in apt) c=\${c%:*} ;; dnf) c=\${c#*:} ;; esac
  case " $* " in *" $c "*) ;; *) set -- "$@" "$c" ;; esac
done
[ -d /run/systemd/system ] || echo 'lacks systemd'
[ $# -gt 0 ] && [ -n "$tool" ] || exit 0
echo "tool $tool"
printf 'name %s\\n' "$@"
if [ $tool = apt ]; then
${apt}
  if new=$(apt_broken); then
    echo broken
    why='said '
  elif new=$(apt_new "$@"); then why='add '; else why='said '; fi
else
${dnf}
  if new=$(dnf_new "$@"); then why='add '; else why='said '; fi
fi
printf '%s\\n' "$new" | sed "s/^/$why/"`,
    parse: parseLacking,
  }
}

function parseLacking(out: string): Lacking {
  const of = (word: string) =>
    out.split('\n').flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
  return {
    commands: of('lacks'),
    tool: (of('tool')[0] as 'apt' | 'dnf' | undefined) ?? null,
    names: of('name'),
    adds: of('add')
      .filter((line) => line.includes('='))
      .map((line) => ({ name: line.slice(0, line.indexOf('=')), version: line.slice(line.indexOf('=') + 1) })),
    broken: out.split('\n').includes('broken'),
    said: of('said').filter((line) => line !== ''),
  }
}
