import type { VerifyReport } from '../../model/report.ts'
import { counted } from '../../model/words.ts'
import { isUnproven, tally, unexplainedOf, unreadOf } from '../verify-words.ts'

/** The whole report in a few words. Without a packet sent, as with a saved dump, nobody can say that a network works. */
export function verdict(report: VerifyReport): string {
  const { ok, checks } = report
  if (checks.length === 0) return ok ? 'No trouble found' : 'Trouble found'
  if (ok) return 'The network works'
  if (isUnproven(report)) return 'A part of the network could not be tested'
  return tally(checks).failed > 0 ? 'The network is broken' : 'Every check passed, yet there is trouble'
}

/** What one has to know, in a few sentences. */
export function leadText(report: VerifyReport): string {
  const { skipped } = tally(report.checks)
  const warnings = (report.causes ?? []).filter(({ level }) => level === 'warning').length
  const unread = unreadOf(report).flatMap(([, names]) => names).length
  return [
    resultText(report),
    causesText(report),
    skipped > 0 && `${counted(skipped, 'check')} could not be made.`,
    warnings > 0 && `There ${be(warnings)} ${counted(warnings, 'warning')}.`,
    unread > 0 &&
      `${counted(unread, 'node')} could not be read: what ${unread === 1 ? 'its kernel says' : 'their kernels say'} is unknown.`,
  ]
    .filter(Boolean)
    .join(' ')
}

function resultText({ checks }: VerifyReport): string {
  const { passed, failed, skipped } = tally(checks)
  if (checks.length === 0) return 'No packet was sent: this is what the nodes say of themselves.'
  if (failed > 0) return `${failed} of ${counted(checks.length, 'check')} failed.`
  return `All ${skipped > 0 ? `${passed} other` : passed} checks passed.`
}

function causesText(report: VerifyReport): string {
  const { checks, causes } = report
  if (!causes) return ''
  const errors = causes.filter(({ level }) => level === 'error').length
  const { failed } = tally(checks)
  if (failed === 0 && errors > 0)
    return `${counted(errors, 'cause')} of trouble ${errors === 1 ? 'was' : 'were'} found.`
  if (failed === 0) return checks.length === 0 ? 'No known cause of trouble was found.' : ''
  const explaining = causes.filter(({ explains }) => explains.length > 0).length
  if (explaining === 0) return `No known cause explains ${failed === 1 ? 'it' : 'them'}.`
  const left = unexplainedOf(report).length
  const some =
    left === 0 ? 'all of them' : `${failed - left} of them, ${left} ${left === 1 ? 'has' : 'have'} no known cause`
  return `${counted(explaining, 'cause')} ${explaining === 1 ? 'explains' : 'explain'} ${some}.`
}

const be = (number: number): string => (number === 1 ? 'is' : 'are')
