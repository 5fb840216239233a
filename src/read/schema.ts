import { valid } from 'semver'
import { z } from 'zod'
import { cidrText, familyOf, isIp, networkOf, parseCidr, rangeOf, sizeOf } from '../model/cidr.ts'
import type { Code } from '../model/codes.ts'
import { parseJump } from '../model/jump.ts'

/** The Kubernetes minors that k8snet deploys. Which patch of them, the bundle says. */
export const supported = ['1.35', '1.36', '1.37'] as const

/** What a rule of one value says when it is broken; the reader adds where. */
export interface Rule {
  readonly code: Code
  readonly fix?: string
}
type Broken = Rule & { readonly message: string }

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const subdomain = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

/** A string with one rule; `check` says what is wrong with it, or nothing. */
function text(describe: string, check?: (value: string) => Broken | undefined) {
  const base = z.string().min(1).describe(describe)
  if (!check) return base
  return base.superRefine((value, context) => {
    const broken = value === '' ? undefined : check(value)
    if (broken)
      context.addIssue({
        code: 'custom',
        message: broken.message,
        params: { code: broken.code, fix: broken.fix },
        input: value,
      })
  })
}

const wrong = (message: string, fix?: string): Broken => ({ code: 'VALUE_TYPE', message, ...(fix ? { fix } : {}) })
const isName = (value: string) => subdomain.test(value.toLowerCase()) && !/^[\d.]+$/.test(value)
export const reach = (value: string) =>
  isIp(value) || isName(value) ? undefined : wrong(`${value} is neither an IP address nor a host name`)
const dns = (value: string) =>
  subdomain.test(value) ? undefined : wrong(`${value} is no DNS name: lower-case letters, digits, - and . only`)
const san = (value: string) =>
  isIp(value) || isName(value.replace(/^\*\./, ''))
    ? undefined
    : wrong(`${value} is neither an IP address nor a DNS name`)

/** Why a name cannot be a host's, if it cannot: it becomes the hostname and the node name. */
export function hostnameFault(name: string): Broken | undefined {
  if (label.test(name)) return undefined
  const why = name.includes('_')
    ? 'it has an underscore'
    : /[A-Z]/.test(name)
      ? 'it has capital letters'
      : name.length > 63
        ? 'it is longer than 63 characters'
        : 'lower-case letters, digits and - only, with a letter or digit at both ends'
  const repaired = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
  return {
    code: 'HOSTNAME_INVALID',
    message: `${name} can be no host name: ${why}`,
    ...(label.test(repaired) ? { fix: `name it ${repaired}` } : {}),
  }
}

function nodeAddress(value: string): Broken | undefined {
  if (familyOf(value) !== 4)
    return wrong(`${value} is no IPv4 address`, 'write the IPv4 address that the other hosts reach it by')
  const range = rangeOf(value)
  return ['loopback', 'multicast', 'unspecified', 'broadcast', 'linkLocal'].includes(range)
    ? wrong(
        `${value} can be no node's address: it is ${range}`,
        'write the address that the other hosts reach it by: nodeIP',
      )
    : undefined
}

/** Bounds of the API server and the controller manager: a /24 per node, at most 2^16 of them; services from /12 to /28. */
function subnet(least: number, most: number) {
  return (value: string): Broken | undefined => {
    const bad = (message: string, fix: string): Broken => ({ code: 'CIDR_INVALID', message, fix })
    const network = networkOf(value)
    if (!network) return bad(`${value} is no network in CIDR form`, 'write it like 10.244.0.0/16')
    if (network.family === 6)
      return bad(`${value} is IPv6, which this version does not deploy`, 'write an IPv4 network')
    if (!parseCidr(value)) return bad(`${value} has host bits set`, `write ${cidrText(network)}`)
    if (network.prefix < least)
      return bad(`${value} is larger than Kubernetes takes: /${least}`, `write a network of /${least} to /${most}`)
    const range = rangeOf(value.slice(0, value.indexOf('/')))
    if (!['private', 'unicast', 'carrierGradeNat', 'benchmarking', 'reserved'].includes(range))
      return bad(`${value} is ${range}`, 'write a private network: 10.244.0.0/16')
    if (network.prefix > most)
      return {
        code: 'CIDR_TOO_SMALL',
        message: `${value} has ${sizeOf(network)} addresses`,
        fix: `write a network of /${most} or larger`,
      }
    return undefined
  }
}

function version(value: string): Broken | undefined {
  const bare = value.replace(/^v/, '')
  const bad = (message: string): Broken => ({
    code: 'VERSION_UNSUPPORTED',
    message,
    fix: `write a version of ${supported.join(', ')} in full, like ${supported.at(-1)}.1`,
  })
  if (!valid(bare)) return bad(`${value} is no version in full`)
  return supported.some((minor) => bare.startsWith(`${minor}.`))
    ? undefined
    : bad(`Kubernetes ${value} is not deployed by this version of k8snet`)
}

const port = z.int().min(1).max(65535)
const fingerprint = (value: string) =>
  /^SHA256:[A-Za-z0-9+/]{43}$/.test(value)
    ? undefined
    : wrong(`${value} is no fingerprint`, 'write it as ssh-keygen -lf prints it: SHA256: and 43 characters')
const path = text('A path')
const door = {
  user: text('The user to log in as').optional(),
  key: z
    .union([path, z.array(path).min(1)])
    .describe('Path of the private key, or several; the agent and the usual keys where none is named')
    .optional(),
  port: port.describe('Port of sshd; 22').optional(),
  knownHosts: text('Path of the known_hosts file; ~/.ssh/known_hosts').optional(),
}
const hostKey = text('Fingerprint of the host key: SHA256:…', fingerprint).optional()
const jumpWords = text('[user@]host[:port], several with commas between them, or none', (value) =>
  value === 'none' || value.split(',').every((word) => parseJump(word) !== null)
    ? undefined
    : wrong(`${value} is no bastion`, 'write it as [user@]host[:port]'),
)
const bastion = z.strictObject({
  address: text('How SSH reaches the bastion: an IP address or a name', reach),
  hostKey,
  password: text('Password to log in to the bastion with; better is a key').optional(),
  ...door,
})
const jump = z
  .union([jumpWords, bastion, z.array(z.union([jumpWords, bastion]))])
  .describe('The bastion on the way to the hosts, or several, the first one first')
const access = {
  ...door,
  become: z.enum(['sudo', 'doas', 'none']).describe('How to become root; sudo').optional(),
  jump: jump.optional(),
}

const cluster = z.strictObject({
  name: text('Name of the cluster', dns).default('kubernetes'),
  kubernetes: text(`Version of Kubernetes in full: ${supported.join(', ')}`, version),
  podSubnet: text('The network of all pods; each node gets a /24 of it', subnet(8, 24)).default('10.244.0.0/16'),
  serviceSubnet: text('The network of all Services', subnet(12, 28)).default('10.96.0.0/12'),
  dnsDomain: text('The domain of cluster DNS', dns).default('cluster.local'),
  imageRepository: text('The registry that the images are named after', (value) =>
    /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)*$/.test(value)
      ? undefined
      : wrong(`${value} is no image repository`, 'write it like registry.k8s.io'),
  ).default('registry.k8s.io'),
  network: z
    .strictObject({
      provider: z.enum(['flannel']).default('flannel'),
      backend: z.enum(['vxlan', 'host-gw', 'udp']).default('vxlan'),
      port: port.describe('UDP port of the backend').optional(),
    })
    .prefault({}),
  proxy: z.enum(['iptables', 'nftables']).describe('Mode of kube-proxy').default('iptables'),
  certSANs: z.array(text('A further name or address for the certificate of the API server', san)).default([]),
})

const host = z.strictObject({
  address: text('How SSH reaches the host: an IP address or a name', reach),
  role: z.enum(['control-plane', 'worker']).default('worker'),
  nodeIP: text(
    'The IPv4 address that the nodes use between them; address where nothing is said',
    nodeAddress,
  ).optional(),
  hostKey,
  ...access,
})

export const inventory = z.strictObject({
  cluster,
  source: z.strictObject({ bundle: text('Directory of the bundle').default('./bundle') }).prefault({}),
  ssh: z
    .strictObject({ ...access, password: text('Password to log in with; better is a key').optional() })
    .prefault({}),
  hosts: z.record(z.string(), host),
})
export type Written = z.output<typeof inventory>

/** The JSON Schema of an inventory, for editors; from the same schema that reads it. */
export function inventorySchema(): object {
  return z.toJSONSchema(inventory, { io: 'input' })
}

/** The keys that may stand at a path of an inventory. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let at = choices(inventory)
  for (const key of path) at = at.flatMap((it) => inside(it, key)).flatMap(choices)
  return at.flatMap((it) => (it instanceof z.ZodObject ? Object.keys(it.shape) : []))
}

function inside(schema: unknown, key: PropertyKey): unknown[] {
  if (schema instanceof z.ZodObject) return [schema.shape[String(key)]]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  return schema instanceof z.ZodArray ? [schema.element] : []
}

function choices(schema: unknown): unknown[] {
  const it = bare(schema)
  return it instanceof z.ZodUnion ? it.options.flatMap(choices) : [it]
}

function bare(schema: unknown): unknown {
  let at = schema
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault || at instanceof z.ZodPrefault) at = at.unwrap()
  return at
}
