import type { Reply } from '../model/fact.ts'
import type { Host } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import { failure } from './fault.ts'

/** The status of a job whose time was up: templates/job-run.sh. */
export const timeWasUp = 900

/** Did only the connection fail? */
export function isLost(error: unknown): error is Failure {
  return error instanceof Failure && error.troubles[0]?.code === 'CONNECTION_LOST'
}

/**
 * What it means that the starter of a job (templates/job-start.sh) ended before the job's log did. Throws where that is final,
 * and gives back a Failure where it is worth to look again.
 */
export function endTrouble(host: Host, { code, err }: Reply, boot: string): Failure {
  const said = err.trim().split('\n').at(-1)?.slice(0, 500) ?? ''
  const lost = (message: string) => failure(exits.someHosts, 'CONNECTION_LOST', host, message)
  const evidence = [{ source: `${host.name}: /run/k8snet`, line: said || `status ${code}` }]
  const again = 'run the command again: it goes on from what is there'
  switch (code) {
    case 91:
      throw failure(exits.someHosts, 'HOST_REBOOTED', host, 'it was restarted while something ran on it', {
        evidence: [
          { source: `${host.name}: boot id and start of init, before`, line: boot },
          { source: `${host.name}: now`, line: said },
        ],
        fix: `find out why (journalctl -b -1 -e); then ${again}`,
      })
    case 92:
      throw failure(
        exits.someHosts,
        'CONNECTION_LOST',
        host,
        'the end of what ran there is not known: its log is gone',
        {
          fix: `see that nobody else works on the host; then ${again}`,
        },
      )
    case 94:
      if (said === 'full') throw noRoom(host, 'what ran there could not write its output', evidence)
      throw failure(exits.someHosts, 'ACTION_FAILED', host, 'what ran there was killed', {
        evidence,
        fix: `look for the reason (dmesg | tail: too little memory?); then ${again}`,
      })
    case 93:
    case 95:
      return lost('what runs there has to be looked at again')
    default: {
      const message = 'nothing can be started there'
      if (/no space left/i.test(err)) throw noRoom(host, message, evidence)
      if (/read-only file system/i.test(err))
        throw failure(exits.someHosts, 'READ_ONLY', host, `${message}: /run takes no changes`, {
          evidence,
          fix: 'look why (findmnt /run; dmesg); a restart of the host may be needed',
        })
      throw failure(exits.someHosts, 'LOOK_FAILED', host, message, { evidence })
    }
  }
}

/** A job that the host has ended because its time was up. */
export function timeIsUp(host: Host, timeoutMs: number, out: string): Failure {
  return late(host, `what ran there took longer than ${timeoutMs / 1000} s, and was ended`, out)
}

/** A job whose time is up, and that still has not ended. */
export function stillThere(host: Host, timeoutMs: number, out: string): Failure {
  return late(host, `what runs there takes longer than ${timeoutMs / 1000} s, and does not let itself be ended`, out)
}

function late(host: Host, message: string, out: string): Failure {
  const last = out.trimEnd().split('\n').at(-1)
  return failure(exits.someHosts, 'TIMEOUT', host, message, {
    evidence: last ? [{ source: `${host.name}: last line of output`, line: last.slice(0, 500) }] : [],
    fix: 'look what the host is busy with, then run the command again: it goes on from what is there',
  })
}

function noRoom(host: Host, message: string, evidence: { source: string; line: string }[]): Failure {
  return failure(exits.someHosts, 'DISK_FULL', host, `${message}: /run has no room left`, {
    evidence,
    fix: 'make room: df -h /run; du -xsh /run/*',
  })
}
