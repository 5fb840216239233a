import type { Eyes } from '../model/ports.ts'
import { sh } from '../model/shell.ts'
import type { Evidence, Trouble } from '../model/trouble.ts'

/** Where k8snet and Kubernetes write. */
const places = ['/etc', '/usr/local/bin', '/var/lib', '/var/lib/k8snet', '/var/lib/containerd', '/run', '/tmp', '/opt']

/** Less than this is full: a file system may keep a little for root. */
const leastBlocks = 1024
const leastInodes = 16

/**
 * Was it a full or a read-only file system that an action failed at? Told by what it printed, and shown by what the host says of
 * its file systems; undefined where it was something else. A shell's builtin calls a full disk an `I/O error`, which counts only
 * where a file system is full.
 */
export async function spaceTrouble(
  eyes: Eyes,
  where: string,
  summary: string,
  output: string,
): Promise<Trouble | undefined> {
  const line = output
    .split('\n')
    .find((it) => /No space left|quota exceeded|I\/O error|Read-only file system/i.test(it))
  if (line === undefined) return undefined
  const named = /(?:^|[\s'"`‘])(\/[^\s:'"’]+)/.exec(line)?.[1]
  const code = /Read-only/i.test(line) ? ('READ_ONLY' as const) : ('DISK_FULL' as const)
  const looked = await eyes.look(question(named ? [named, ...places] : places)).catch(() => undefined)
  const found = looked && (code === 'READ_ONLY' ? readOnly(looked.out) : full(looked.out))
  if (!found && /I\/O error/.test(line)) return undefined
  const at = found?.mount ?? named ?? 'the file system'
  const said: Evidence = { source: summary, line: line.trim() }
  return {
    code,
    message: `${summary}: ${code === 'READ_ONLY' ? `${at} is mounted read-only` : `${at} has no room left`}`,
    where,
    evidence: found ? [said, found.evidence] : [said],
    fix:
      code === 'READ_ONLY'
        ? `find out why (dmesg, /etc/fstab), mount it writable (mount -o remount,rw ${at}), and run the command again`
        : `make room on ${at} (df -h ${at}), and run the command again: it goes on from what is there`,
  }
}

/** The nearest existing directory of each place stands for it. */
function question(paths: readonly string[]): string {
  return `set --
for p in ${sh`${paths}`}; do
  while [ ! -e "$p" ] && [ -n "$p" ]; do p=\${p%/*}; done
  set -- "$@" "\${p:-/}"
done
df -Pk "$@" 2>/dev/null | sed 1d | sort -u | sed 's/^/space /'
df -Pi "$@" 2>/dev/null | sed 1d | sort -u | sed 's/^/inodes /'
for p in "$@"; do df -P "$p" 2>/dev/null | sed 1d; done | awk '{ print $6 }' | sort -u | while read -r m; do
  awk -v m="$m" '$2 == m { last = $0 } END { if (last != "") print "mount " last }' /proc/mounts
done`
}

type Found = { mount: string; evidence: Evidence } | undefined

function full(out: string): Found {
  for (const [kind, least] of [
    ['space', leastBlocks],
    ['inodes', leastInodes],
  ] as const) {
    for (const line of out.split('\n').filter((it) => it.startsWith(`${kind} `))) {
      const [, size, , left, , mount] = line.slice(kind.length + 1).split(/ +/)
      if (mount && Number(size) > 0 && Number(left) < least)
        return {
          mount,
          evidence: { source: kind === 'space' ? 'df -Pk' : 'df -Pi', line: line.slice(kind.length + 1) },
        }
    }
  }
  return undefined
}

function readOnly(out: string): Found {
  for (const line of out.split('\n').filter((it) => it.startsWith('mount '))) {
    const [, , mount, , options = ''] = line.split(' ')
    if (mount && options.split(',').includes('ro'))
      return { mount, evidence: { source: '/proc/mounts', line: line.slice(6) } }
  }
  return undefined
}
