import { compile, undo } from '../actions/index.ts'
import type { Fact } from '../model/fact.ts'
import { type Sh, sh } from '../model/shell.ts'
import { applyScript, type Item } from './script.ts'

/**
 * How a host takes changes back by itself. A directory of its own in /run holds the script that does it, `armed` as long as nobody
 * objected, `deadline` in seconds of uptime, and a mark for each change that was begun. The rename of `armed` decides who comes
 * first: who confirms, or the host. The script runs beside the session, and leaves nothing behind.
 */
const directory = (id: string): Sh => `/run/k8snet/revert.${id}`

/** The script that makes the changes, with the way back in place before the first of them. */
export function guardedScript(prelude: Sh, id: string, items: readonly Item[], seconds: number): Sh {
  const most = items.length * 60 + seconds
  const arm = [
    sh`revert=${directory(id)}`,
    'mkdir -m 0700 "$revert" || exit',
    sh`printf %s ${revertScript(prelude, id, items)} >"$revert/script" || exit`,
    `due() { read -r up _ </proc/uptime; echo $((\${up%.*} + $1)) >"$revert/due"; mv "$revert/due" "$revert/deadline"; }`,
    `due ${most} && : >"$revert/armed" || exit`,
    `trap 'due ${seconds}; write_ends' EXIT`,
    `if [ -d /run/systemd/system ]; then systemd-run --quiet --collect --unit k8snet-revert-${id} /bin/sh "$revert/script" || exit`,
    `else setsid /bin/sh "$revert/script" </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &`,
    'fi',
  ]
  return applyScript([prelude, ...arm].join('\n'), items, (item) => `${sh`: >"$revert/begun.${item.id}"`}\n`)
}

function revertScript(prelude: Sh, id: string, items: readonly Item[]): Sh {
  const back = [...items].reverse().map(
    (item) => `[ ! -e ${sh`"$revert/begun.${item.id}"`} ] || {
  ( set -e
${undo(item.action).map(compile).join('\n')}
  ) && ${sh`undone ${item.id}`}
}`,
  )
  return [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; export PATH LC_ALL; cd /',
    sh`revert=${directory(id)}`,
    `while [ -e "$revert/armed" ]; do
  read -r up _ </proc/uptime
  [ "\${up%.*}" -lt "$(cat "$revert/deadline")" ] || break
  sleep 1
done
mv "$revert/armed" "$revert/reverting" 2>/dev/null || exit 0`,
    prelude,
    ...back,
    'reload_units',
    'rm -rf "$revert"',
  ].join('\n')
}

/** Over a new connection: ends with 0 when the changes stand, now or since an earlier try. */
export function confirmScript(id: string): Sh {
  return sh`cd ${directory(id)} 2>/dev/null && { mv armed kept 2>/dev/null || [ -e kept ]; }`
}

/** Takes the confirmed way back off the host. */
export function withdrawScript(id: string): Sh {
  return sh`rm -rf ${directory(id)}`
}

/** Ends with 0 when the way back is over: confirmed and withdrawn, or gone. */
export function isGone(id: string): Sh {
  return sh`[ ! -e ${directory(id)} ]`
}

/** Does a change stand unconfirmed on the host, or is the host just taking it back? */
export const unconfirmed: Fact<boolean> = {
  ask: 'for revert in /run/k8snet/revert.*; do [ ! -d "$revert" ] || echo yes; done',
  parse: (out) => out !== '',
}

/**
 * What an earlier run left unconfirmed is confirmed, because whoever asks this has come in anew; what the host is just taking back
 * is waited for.
 */
export const settleReverts: Sh = `for revert in /run/k8snet/revert.*; do
  [ -d "$revert" ] || continue
  mv "$revert/armed" "$revert/kept" 2>/dev/null || :
  tries=0
  while [ -e "$revert/reverting" ] && [ $tries -lt 120 ]; do
    tries=$((tries + 1))
    sleep 1
  done
  rm -rf "$revert"
done`

/** The same for a run that lost the host on the way: a script of its own may still be going on there, and ends first. */
export const restScript: Sh = `[ ! -e /run/k8snet/job.lock ] || flock -w 900 /run/k8snet/job.lock true
${settleReverts}`
