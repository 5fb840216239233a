import { causes } from '../../src/causes/index.ts'
import type { Finding } from '../../src/model/cause.ts'
import type { Code } from '../../src/model/codes.ts'
import type { Picture } from '../../src/model/dump.ts'

/** Every finding of every cause, in the order of the registry. */
export function findings(picture: Picture): (Finding & { code: Code })[] {
  return causes.flatMap((cause) => cause.find(picture).map((finding) => ({ ...finding, code: cause.code })))
}

/** `IP_FORWARD_OFF w1` */
export const codesOf = (picture: Picture): string[] => findings(picture).map(({ code, where }) => `${code} ${where}`)
