import { files, paths } from '../facts/files.ts'
import { sysctls } from '../facts/sysctls.ts'
import type { Action } from '../model/action.ts'
import { step } from '../model/step.ts'
import { fileIs } from './files.ts'

/** The hostname is the node's name, now and at boot; cloud-init, where it is installed, is told to leave it alone. */
export const hostname = step({
  title: 'The hostname is the name in the inventory',
  asks: () => ({ files, sysctls }),
  plan: ({ files, sysctls }, { host }) => {
    const boot = files.get(paths.hostname)?.content.trim() === host.name ? [] : fileOf(files, host.name)
    const was = sysctls.get('kernel.hostname')
    const live: Action[] =
      was === host.name
        ? []
        : [{ kind: 'sysctl', key: 'kernel.hostname', want: host.name, ...(was !== undefined && { was }) }]
    return [...boot, ...live]
  },
})

function fileOf(found: Parameters<typeof fileIs>[0], name: string): Action[] {
  const cloud = found.has(paths.cloud) ? fileIs(found, paths.cloudInit, 'preserve_hostname: true\n') : []
  return [...fileIs(found, paths.hostname, `${name}\n`), ...cloud]
}
