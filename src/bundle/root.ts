import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar-stream'
import { run } from './child.ts'
import type { Recipe } from './recipe.ts'
import { type Entry, tar } from './tar.ts'
import type { Arch } from './versions.ts'

const packages = ['iptables', 'nftables', 'iproute2', 'kmod', 'conntrack']

/** What of a small Debian is of no use in an image whose programs are iptables and its like. */
const dropped = [
  /^dev\//,
  // of the machine that it is made on
  /^etc\/(?:hostname|hosts|resolv\.conf|machine-id)$/,
  /^(?:var|etc)\/(?:lib|cache|log|backups|apt)\/./,
  /^usr\/share\/(?!ca-certificates)./,
  /^usr\/lib\/(?:apt|dpkg|systemd|udev|locale|init|mime)\//,
  /^usr\/lib\/[^/]+\/(?:perl[^/]*|gconv|libperl\.[^/]*|security)(?:\/|$)/,
  /^usr\/(?:bin|sbin)\/(?:perl|apt|dpkg|deb|pod|localedef|ldconfig|pam|bash$|rbash$|lsblk|fsck|mk(?:fs|swap))/,
]

/** A small Debian root with iptables, nftables, ip, kmod and conntrack, as the layer that kube-proxy and flannel share. */
export function debianRoot(arch: Arch): Recipe {
  const suite = 'bookworm'
  return {
    name: 'debian-root',
    outputs: ['root.tar'],
    key: [arch, suite, packages, dropped.map(String)],
    seconds: 30,
    gigabytes: 0.5,
    needs: ['mmdebstrap'],
    make: async ({ work, out, ...kitchen }) => {
      const whole = join(work, 'whole.tar')
      await run(
        [
          'mmdebstrap',
          '--variant=essential',
          `--include=${packages.join(',')}`,
          `--architectures=${arch}`,
          '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg',
          suite,
          whole,
        ],
        kitchen,
      )
      await pipeline(Readable.from(tar(slim(whole)), { objectMode: false }), createWriteStream(join(out, 'root.tar')))
    },
  }
}

async function* slim(path: string): AsyncGenerator<Entry> {
  const whole = createReadStream(path).pipe(extract())
  for await (const entry of whole) {
    const name = entry.header.name.replace(/^\.\//, '')
    const useless = name === '' || name === './' || dropped.some((pattern) => pattern.test(name))
    if (useless || entry.header.type?.endsWith('device')) {
      entry.resume()
      continue
    }
    const { mode, uid, gid, size, type, linkname } = entry.header
    yield {
      name,
      mode: mode ?? 0o644,
      uid: uid ?? 0,
      gid: gid ?? 0,
      size: size ?? 0,
      type: type ?? 'file',
      mtime: new Date(0),
      ...(linkname && { linkname: type === 'link' ? linkname.replace(/^\.\//, '') : linkname }),
      bytes: entry as unknown as AsyncIterable<Buffer>,
    }
  }
}
