import { causes } from '../../src/causes/index.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import type { Cause, Finding } from '../../src/model/cause.ts'
import type { Code } from '../../src/model/codes.ts'
import type { ClusterDump, Picture } from '../../src/model/dump.ts'
import { suits } from '../../src/verify/explain.ts'
import type { OpenDump } from '../dump/healthy.ts'

export type Found = Finding & { code: Code }

/** What the causes find that verify would ask, in the order of the registry. */
export function findings(picture: Picture, of: readonly Cause[] = causes): Found[] {
  return of
    .filter((cause) => suits(cause, picture) === true)
    .flatMap((cause) => cause.find(picture).map((finding) => ({ ...finding, code: cause.code })))
}

/** The same of a dump. */
export const foundIn = (dump: OpenDump, of?: readonly Cause[]): Found[] => findings(pictureOf(dump as ClusterDump), of)

/** `IP_FORWARD_OFF w1` */
export const codesOf = (picture: Picture): string[] => findings(picture).map(({ code, where }) => `${code} ${where}`)
