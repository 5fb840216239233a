import { readFile, writeFile } from 'node:fs/promises'
import type { Lab } from './lab.ts'
import { there } from './provider.ts'
import { tools } from './tools.ts'

/** Every systemd, kube-proxy and flannel takes some of these, and all hosts of a machine share them. */
const instances = { path: '/proc/sys/fs/inotify/max_user_instances', key: 'fs.inotify.max_user_instances', want: 8192 }

/** What the hosts' networks are made of. They are containers and may not load modules themselves. */
const modules = ['overlay', 'br_netfilter', 'vxlan', 'nf_conntrack', 'xt_comment', 'nft_compat']

/** Readies this machine's kernel for hosts that are containers. Lasts until the machine restarts. */
export async function readyKernel(lab: Lab): Promise<void> {
  const $ = tools(lab)
  if (Number(await readFile(instances.path, 'utf8').catch(() => instances.want)) < instances.want) {
    const done = await writeFile(instances.path, `${instances.want}`).then(
      () => true,
      async () =>
        lab.sudo.length > 0 && (await $`${lab.sudo} sysctl -q -w ${instances.key}=${instances.want}`).exitCode === 0,
    )
    lab.say(
      done
        ? `${instances.key} of this machine is now ${instances.want}`
        : `${instances.key} could not be raised to ${instances.want}: more than five hosts may not work`,
    )
  }
  const absent = []
  for (const name of modules) if (!(await there(`/sys/module/${name}`))) absent.push(name)
  // Without loadable modules this fails, and what is needed is built in.
  if (absent.length > 0 && (await there('/lib/modules'))) await $`${lab.sudo} modprobe --quiet --all ${absent}`
}
