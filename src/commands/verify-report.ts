import type { VerifyReport } from '../model/report.ts'
import { htmlPage } from '../view/html/page.ts'
import { junitXml } from '../view/junit.ts'
import { verifyText } from '../view/verify.ts'
import type { CommandIo } from './io.ts'
import type { Form } from './verify-options.ts'

/** What a report is of: the cluster's name, and when it was looked at, in ISO form. */
export interface Heading {
  readonly cluster: string
  readonly made: string
}

/** Prints a report of the network in the form that was asked for. */
export function printReport(io: CommandIo, report: VerifyReport, form: Form, heading: Heading): void {
  if (form === 'json') io.out(`${JSON.stringify(report, null, 2)}\n`)
  else if (form === 'junit') io.out(junitXml(report, heading))
  else if (form === 'html') io.out(htmlPage(report, heading))
  else io.out(verifyText(report, { color: io.color }))
}
