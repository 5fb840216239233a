import type { PackageAction } from '../model/action.ts'
import { apt, aptFree, dnf } from '../model/packages.ts'
import { type Sh, sh } from '../model/shell.ts'
import { changedStatus, type KindOf } from './kind.ts'

/** Packages of the distribution: installed with what they need, and exactly these removed again. */
export const packages: KindOf<PackageAction> = {
  show: ({ tool, names, adds, remove }) => ({
    summary: `${remove ? 'remove' : 'install'} packages ${adds.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
    command: remove ? `${removal[tool]} ${sh`${namesOf(adds)}`}` : `${installation[tool]} ${sh`${names}`}`,
  }),
  compile: (action) => `(\n${(action.remove ? remove : install)[action.tool](action)}\n)`,
  undo: (action) => [{ ...action, remove: true }],
}

const installation = { apt: 'apt-get install --no-install-recommends', dnf: 'dnf install' } as const
const removal = { apt: 'apt-get purge', dnf: 'rpm -e' } as const

/** What would come must be what was planned, or what is left of it after a run that broke off. */
const onlyPlanned = (
  adds: PackageAction['adds'],
): Sh => `planned=${sh`${adds.map(({ name, version }) => `${name}=${version}`).join(' ')}`}
for package in $new; do
  case " $planned " in *" $package "*) ;; *)
    echo "$package would come now, which the plan does not have"
    exit ${changedStatus} ;;
  esac
done`

const install: Record<PackageAction['tool'], (action: PackageAction) => Sh> = {
  apt: ({ names, adds }) => `${apt}
${aptFree}
if new=$(apt_broken); then
  printf '%s\\n' "$new"
  exit 1
fi
new=$(${sh`apt_new ${names}`}) || {
  printf '%s\\n' "$new"
  exit 1
}
${onlyPlanned(adds)}
[ -z "$new" ] || apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=60 \\
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold ${sh`install ${names}`} 3>&-`,

  dnf: ({ names, adds }) => `${dnf}
${sh`rpm -q ${names}`} >/dev/null 2>&1 || {
  new=$(${sh`dnf_new ${names}`}) || {
    printf '%s\\n' "$new"
    exit 1
  }
  ${onlyPlanned(adds)}
  ${sh`timeout 600 dnf -q -y --setopt=install_weak_deps=False install ${names}`} 3>&-
}`,
}

/** What somebody else's package needs by now is left, and said. */
const remove: Record<PackageAction['tool'], (action: PackageAction) => Sh> = {
  apt: ({ adds }) => `${apt}
set --
for package in ${sh`${namesOf(adds)}`}; do
  case $(dpkg-query -W -f '\${db:Status-Status}' "$package" 2>/dev/null) in '' | not-installed) ;; *) set -- "$@" "$package" ;; esac
done
[ $# -gt 0 ] || exit 0
for package in $(apt-get -q -s -o Debug::NoLocking=1 purge "$@" | sed -n 's/^\\(Purg\\|Remv\\) \\([^ ]*\\) .*/\\2/p'); do
  case " $* " in *" $package "*) ;; *)
    echo "$package needs them"
    exit ${changedStatus} ;;
  esac
done
${aptFree}
apt-get -q -y -o APT::Get::AutomaticRemove=false -o DPkg::Lock::Timeout=60 purge "$@" 3>&-`,

  dnf: ({ adds }) => `set --
for package in ${sh`${namesOf(adds)}`}; do
  ! rpm -q "$package" >/dev/null 2>&1 || set -- "$@" "$package"
done
[ $# -gt 0 ] || exit 0
rpm -e --test "$@" || exit ${changedStatus}
rpm -e "$@" 3>&-`,
}

function namesOf(adds: PackageAction['adds']): string[] {
  return adds.map(({ name }) => name)
}
