import { type Sh, sh } from '../model/shell.ts'
import { encodeProbe, type Probe } from './probe.ts'

/** The probe program in the two languages of which every host has one; they speak the same protocol. */
export interface Programs {
  /** Text of templates/probe.py */
  readonly python: string
  /** Text of templates/probe.pl */
  readonly perl: string
}

/** A process group's network: that of a process, or of the host itself. */
export type Place = { readonly pid: number } | 'host'

/**
 * Shell that starts a probe server in each pod and stays while they run. It prints `pid POD/CONTAINER PID NETNS` for every
 * container, `ready POD` for every server that listens, `alive` each second (which ends the servers once nobody reads it),
 * and `error ...` for what did not work. In the full level there is a server in the network of the host too, and every line
 * of the pods' resolv.conf comes as `resolv POD LINE`.
 */
export function serverScript(
  programs: Programs,
  pods: readonly { readonly name: string; readonly containers: ReadonlyMap<string, string> }[],
  port: number,
  seconds: number,
  full?: { readonly name: string; readonly port: number; readonly ip: string },
): Sh {
  const lines = pods.flatMap(({ name, containers }) => [
    'server=',
    ...[...containers].flatMap(([container, id]) => [
      sh`pid=$(pid_of ${id}) || echo ${`error ${name}/${container}: no process of container ${id}`}`,
      sh`[ -z "$pid" ] || echo pid ${`${name}/${container}`} "$pid" "$(readlink "/proc/$pid/ns/net")"`,
      '[ -n "$server" ] || server=$pid',
    ]),
    ...(full ? [sh`[ -z "$server" ] || sed ${`s|^|resolv ${name} |`} "/proc/$server/root/etc/resolv.conf"`] : []),
    sh`[ -z "$server" ] || probe "$server" server ${name} ${port} ${seconds} &`,
  ])
  const host = full ? [sh`probe host server ${full.name} ${full.port} ${seconds} ${full.ip} &`] : []
  return [programText(programs), pidOf, ...lines, ...host, 'wait'].join('\n')
}

/** Shell that runs the probes of each place side by side and prints the programs' result lines. */
export function clientScript(
  programs: Programs,
  batches: readonly { readonly place: Place; readonly probes: readonly Probe[] }[],
  seconds: number,
): Sh {
  const lines = batches.map(
    ({ place, probes }) =>
      sh`printf '%s\\n' ${probes.map(encodeProbe)} | probe ${place === 'host' ? 'host' : place.pid} client ${seconds} &`,
  )
  return [programText(programs), ...lines, 'wait'].join('\n')
}

/** `pid_of CONTAINER-ID`: a process of the container. Both cgroup versions and drivers have its id in the path. */
const pidOf: Sh = `pid_of() {
  file=$(grep -ls -- "$1" /proc/[0-9]*/cgroup | head -n 1)
  [ -n "$file" ] || return 1
  file=\${file#/proc/}
  echo "\${file%%/*}"
}`

/** `probe PID|host MODE ...`: runs the program in the network namespace of a process, with what the host has to run it. */
function programText(programs: Programs): Sh {
  return `${sh`python_program=${programs.python}
perl_program=${programs.perl}`}
python=
for candidate in python3 /usr/libexec/platform-python; do
  if "$candidate" -I -S -c 'import _socket, errno, os, select, sys, time; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || perl -e 'use Socket; use POSIX' 2>/dev/null || { echo 'error neither python3 nor perl works on this host'; exit 0; }
probe() {
  place=$1
  shift
  if [ -n "$python" ]; then
    set -- "$python" -I -S -c "$python_program" "$@"
  else
    set -- perl -e "$perl_program" -- "$@"
  fi
  [ "$place" = host ] || set -- nsenter -t "$place" -n "$@"
  exec "$@"
}`
}
