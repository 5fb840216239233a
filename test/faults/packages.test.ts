import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { k8snet } from '../helpers/cli.ts'
import { fault } from '../helpers/fault.ts'
import { inventory, json, notRestored, onHost, states } from '../helpers/lab.ts'

/**
 * A host whose iptables somebody removed. Its packages, made again from the files that are installed, lie in a repository of its
 * own, so that the test asks no mirror.
 */

const repository = `set -e
mkdir -p /srv/repository
cd /srv/repository
for package in iptables libip6tc2; do
  root=$(mktemp -d)
  chmod 0755 "$root"
  mkdir "$root/DEBIAN"
  dpkg -L "$package" | grep -vx '/\\.' | while read -r path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "$root$path"
    elif [ -e "$path" ] || [ -L "$path" ]; then cp -a "$path" "$root$path"
    fi
  done
  dpkg-query -s "$package" | awk '/^Status:/ { next } /^Conffiles:/ { skip = 1; next } /^[^ ]/ { skip = 0 } !skip' >"$root/DEBIAN/control"
  for name in conffiles preinst postinst prerm postrm shlibs triggers; do
    for from in "/var/lib/dpkg/info/$package.$name" "/var/lib/dpkg/info/$package:$(dpkg --print-architecture).$name"; do
      [ ! -e "$from" ] || cp -p "$from" "$root/DEBIAN/$name"
    done
  done
  dpkg-deb -b "$root" "$package.deb"
  { dpkg-deb -f "$package.deb"
    printf 'Filename: ./%s.deb\\nSize: %s\\nSHA256: %s\\n\\n' "$package" "$(stat -c %s "$package.deb")" "$(sha256sum <"$package.deb" | cut -d' ' -f1)"
  } >>Packages
  rm -r "$root"
done
apt-get -q -y purge iptables
dpkg --purge libip6tc2
: >/etc/apt/sources.list`

/** Holds dpkg's lock as apt does, until it is released. */
const hold = `cat >/tmp/hold.py <<'END'
import fcntl, os, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
open("/tmp/held", "w").close()
end = time.monotonic() + 1200
while os.path.exists("/tmp/held") and time.monotonic() < end:
    time.sleep(0.2)
END
setsid python3 /tmp/hold.py >/dev/null 2>&1 </dev/null &
for i in $(seq 600); do [ ! -e /tmp/held ] || break; sleep 0.1; done
[ -e /tmp/held ]`
const release = 'rm /tmp/held /tmp/hold.py'

let before: Awaited<ReturnType<typeof states>>

async function must(script: string): Promise<string> {
  const ended = await onHost('cp1', script)
  expect(ended.code, ended.err).toBe(0)
  return ended.out
}

beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const lab = await json('lab', 'up', '--hosts', '1')
  expect(lab.code, lab.err).toBe(0)
  const bundle = await k8snet(['bundle', 'create', lab.json.bundle, '--from', 'source'])
  expect(bundle.code, bundle.err).toBe(0)
  await must(repository)
})

afterAll(async () => {
  await k8snet(['lab', 'down'])
})

describe('a host that lacks iptables', () => {
  it('is refused with the words of apt, where no repository has it', async () => {
    const { code, json: report } = await json('up', inventory, '--yes')
    expect(code).toBe(5)
    const found = report.errors.find((error: { code: string }) => error.code === 'COMMAND_MISSING')
    expect(found).toMatchObject({ where: 'cp1', message: expect.stringContaining('apt cannot install iptables') })
    expect(JSON.stringify(found.evidence)).toMatch(/E: .*iptables/)
  })

  it('is refused where dpkg was interrupted, and told how to mend it', async () => {
    await must('dpkg --unpack /srv/repository/libip6tc2.deb')
    const { code, json: report } = await json('up', inventory, '--yes')
    await must('dpkg --purge libip6tc2')
    expect(code).toBe(5)
    const found = report.errors.find((error: { code: string }) => error.code === 'PACKAGES_BROKEN')
    expect(found).toMatchObject({ where: 'cp1', fix: expect.stringContaining('dpkg --configure -a') })
  })

  it('gets it with what it needs, and nothing else, as the plan says', async () => {
    await must("echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list")
    before = await states(['cp1'])
    const { json: plan } = await json('plan', inventory)
    const [packages] = plan.hosts[0].actions
    expect(packages).toMatchObject({ step: 'packages', summary: expect.stringMatching(/iptables \S+, libip6tc2 \S+$/) })
  })

  fault('waits while another process holds the lock of apt for 40 s', 'exit 0, the holder named', async () => {
    const waiting = /cp1: waiting for process \d+ \(python3 .*\), which holds the lock of the package manager/
    await must(hold)
    let released: Promise<unknown> | undefined
    // The 40 s begin when it has met the lock, however long that took.
    const later = () => new Promise((resolve) => setTimeout(resolve, 40_000)).then(() => must(release))
    const hear = (err: string) => {
      if (!released && waiting.test(err)) released = later()
    }
    const ended = await k8snet(['up', inventory, '--yes'], { hear })
    await (released ?? must(release))
    const named = waiting.test(ended.err)
    return `exit ${ended.code}, the holder ${named ? 'named' : `not named: ${ended.err.slice(-500)}`}`
  })

  it('has it then, and nothing is left to do', async () => {
    expect(await must("dpkg-query -s iptables libip6tc2 | grep -c '^Status: install ok installed'")).toBe('2\n')
    const again = await json('up', inventory, '--yes', '--no-verify')
    expect(again.json.hosts[0]).toMatchObject({ outcome: 'unchanged', actions: 0 })
  })

  it('is given back without it', async () => {
    const { code, json: report, err } = await json('down', inventory, '--yes')
    expect(code, err + JSON.stringify(report)).toBe(0)
    expect(notRestored(before, await states(['cp1']))).toEqual([])
  })
})
