import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Secret } from '../model/secret.ts'
import type { Trouble } from '../model/trouble.ts'
import type { Place } from './places.ts'

/** What an API server is known by, and what it is shown; certificates and keys as PEM. */
export interface Credentials {
  /** The machine's own authorities where the file names none. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: Secret
  readonly token?: Secret
}

interface Reading {
  /** The directory of the kubeconfig. */
  readonly base: string
  refuse(place: Place, message: string, fix: string): void
  readonly troubles: Trouble[]
}

/** What stands for a login that k8snet does not do, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  exec: 'a program makes the login (exec)',
  'auth-provider': 'an auth-provider makes the login',
  as: 'it acts as somebody else (as)',
  username: 'it logs in with a user name and password',
}
const instead =
  'use a context whose user has a client certificate or a token, for example one made with: kubectl create token NAME'

/** The authority of a cluster, and what a user shows it. Faults are told to `reading`. */
export function credentials(cluster: Place, user: Place, reading: Reading): Credentials {
  for (const [key, what] of Object.entries(refused))
    if (user.get(key).value() !== undefined) reading.refuse(user.get(key), `${what}, which is not supported`, instead)
  const ca = pem(cluster, 'certificate-authority', reading)
  const cert = pem(user, 'client-certificate', reading)
  const key = pem(user, 'client-key', reading)
  if ((cert === undefined) !== (key === undefined) && reading.troubles.length === 0) {
    const [has, lacks] = cert === undefined ? ['key', 'certificate'] : ['certificate', 'key']
    reading.refuse(user, `the user has a client-${has}, but no client-${lacks}`, `add client-${lacks}-data`)
  }
  const token = user.get('token').text() ?? file(user.get('tokenFile'), reading)?.trim()
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: new Secret(key) }),
    ...(token && { token: new Secret(token) }),
  }
}

/** PEM that stands in the file as base64, or in a file of its own; the first one counts, as for kubectl. */
function pem(place: Place, name: string, reading: Reading): string | undefined {
  const data = place.get(`${name}-data`)
  const written = data.text()
  if (written === undefined) return file(place.get(name), reading)
  const text = Buffer.from(written, 'base64').toString('latin1')
  if (text.includes('-----BEGIN ')) return text
  return void reading.refuse(data, `${name}-data is not base64 of PEM`, 'copy it again from where it was made')
}

function file(place: Place, reading: Reading): string | undefined {
  const name = place.text()
  if (name === undefined) return undefined
  const path = resolve(reading.base, name)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    reading.troubles.push({
      code: 'FILE_NOT_FOUND',
      message: `${path} does not exist or cannot be read`,
      where: place.where,
      evidence: [{ source: path, line: (error as Error).message }],
      fix: 'correct the path; it is relative to the kubeconfig',
    })
    return undefined
  }
}
