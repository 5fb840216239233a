import type { Cause, Finding } from '../../model/cause.ts'
import type { Picture } from '../../model/dump.ts'
import { notReady } from './flannel.ts'
import { pluginsOf, type Seen, seenOf, shown } from './ground.ts'

const directory = '/etc/cni/net.d'
const binaries = '/opt/cni/bin'

const isFlannel = (text: string) => pluginsOf(text)?.some(({ type }) => type === 'flannel') === true
/** Plugins that ask another configuration by themselves: being first is their purpose. */
const isMeta = (text: string) => pluginsOf(text)?.some(({ type }) => /multus|genie/.test(type ?? '')) === true

/** Is a configuration that is not flannel's the first one on the node? */
export function isShadowed({ view }: Seen): boolean {
  const [first, ...rest] = view.cni.configs
  return (
    first !== undefined && !isFlannel(first.text) && !isMeta(first.text) && rest.some(({ text }) => isFlannel(text))
  )
}

export const cniConfShadow: Cause = {
  code: 'CNI_CONF_SHADOW',
  because:
    "The container runtime takes the first configuration in alphabetical order. It is not flannel's, so new pods of this node are put into a network that no other node knows.",
  shows: `ls ${directory}`,
  fix: `Move the file out of ${directory}, then make the pods of the node anew.`,
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture)
      .filter(isShadowed)
      .map((member): Finding => {
        const { name, view } = member
        const [first] = view.cni.configs
        const flannel = view.cni.configs.find(({ text }) => isFlannel(text))
        const types = pluginsOf(first!.text)?.map(({ type }) => type)
        return {
          where: name,
          message: `${first!.name} comes before flannel's ${flannel!.name} on ${name}`,
          evidence: [
            shown(name, `ls ${directory}`, view.cni.configs.map((config) => config.name).join('  ')),
            shown(name, `cat ${directory}/${first!.name}`, types ? `"type": "${types[0]}"` : first!.text.slice(0, 80)),
          ],
          breaks: { nodes: [name] },
          fix: `Move ${directory}/${first!.name} away on ${name}, then make the pods of the node anew.`,
        }
      }),
}

export const cniConfMissing: Cause = {
  code: 'CNI_CONF_MISSING',
  because:
    'Without a CNI configuration the container runtime cannot connect any new pod, and the kubelet reports the node as not ready. flannel writes it when it starts.',
  shows: `ls ${directory}`,
  fix: 'Restart flannel on the node (delete its pod there): it writes the file again.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, view } = member
      if (!partRead(member) || neverStarted(picture, member)) return []
      const [first] = view.cni.configs
      if (first && (pluginsOf(first.text) || isShadowed(member))) return []
      return [
        {
          where: name,
          message: first
            ? `${first.name} of ${name} is not a CNI configuration`
            : `${name} has no CNI configuration in ${directory}`,
          evidence: first
            ? [shown(name, `cat ${directory}/${first.name}`, first.text.trim().slice(0, 80) || '(empty)')]
            : [shown(name, `ls -A ${directory}`, '(nothing)')],
          breaks: { nodes: [name] },
        },
      ]
    }),
}

/** flannel never ran on the node: that it wrote no configuration either follows from it. */
function neverStarted(picture: Picture, member: Seen): boolean {
  const isFlannelCluster = picture.cluster?.configs.provider === 'flannel'
  return isFlannelCluster && member.view.flannelEnv === null && notReady(picture, member) !== null
}

function partRead({ view }: Seen): boolean {
  const { parts, problems } = view.dump
  return parts['cni-plugins'] !== undefined && !Object.keys(problems).some((part) => part.startsWith('cni-'))
}

/** Every plugin that the first configuration calls, with those that flannel's calls in turn. */
function calledBy(text: string): string[] {
  const called = (pluginsOf(text) ?? []).flatMap(({ type, ipam, delegate }) =>
    type === 'flannel'
      ? ['flannel', delegate?.type ?? 'bridge', delegate?.ipam?.type ?? 'host-local']
      : [type ?? '', ipam?.type ?? ''],
  )
  return [...new Set([...called, 'loopback'])].filter(Boolean)
}

export const cniBinMissing: Cause = {
  code: 'CNI_BIN_MISSING',
  because:
    'For every new pod the container runtime runs the plugins that the CNI configuration names. One of them is not installed, so no new pod of the node starts.',
  shows: `ls ${binaries}`,
  fix: `Install the plugin into ${binaries}: flannel brings its own, the others come with containernetworking-plugins.`,
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, view } = member
      const [first] = view.cni.configs
      if (!first || !partRead(member)) return []
      const missing = calledBy(first.text).filter((plugin) => !view.cni.plugins.includes(plugin))
      if (missing.length === 0) return []
      return [
        {
          where: name,
          message: `the CNI plugins ${missing.join(', ')}, which ${first.name} calls, are not installed on ${name}`,
          evidence: [shown(name, `ls ${binaries}`, view.cni.plugins.join('  ') || '(nothing)')],
          breaks: { nodes: [name] },
        },
      ]
    }),
}
