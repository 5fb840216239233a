import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pair, timed } from './pair.mjs'
import { startSshd } from './sshd.mjs'

/**
 * 256 MB to one host, against scp; both to memory of a real sshd's machine. Then 32 MB to each of 100 hosts at once, which only
 * wants the memory: `up` itself sends to five at once.
 */
export default async function upload({ rounds = 5 }) {
  const sshd = await startSshd()
  const dir = mkdtempSync('/dev/shm/k8snet-upload-')
  const file = join(dir, 'from')
  const to = join(dir, 'to')
  const host = JSON.stringify(sshd.host('h'))
  const send = async (count, target) =>
    JSON.parse((await timed(process.execPath, ['bench/sender.mjs', file, String(count), target, host])).out)
  const trust = ['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${sshd.dir}/known`, '-o', 'LogLevel=ERROR']
  try {
    await timed('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=256'])
    console.log('k8snet: without its connecting; the ratio is of the times, so less is better')
    await pair({
      name: 'upload',
      goal: 1.25,
      rounds,
      plain: async () =>
        (
          await timed('scp', [
            '-q',
            '-F',
            'none',
            '-i',
            sshd.key,
            '-P',
            String(sshd.port),
            ...trust,
            file,
            `root@127.0.0.1:${to}`,
          ])
        ).ms,
      ours: async () => (await send(1, to)).ms,
    })
    await timed('truncate', ['-s', '32M', file])
    const { rssMb } = await send(100, '/dev/null')
    console.log(`100 hosts at once, 32 MB each: ${rssMb.toFixed(0)} MB`)
    console.log(`ratio upload-memory ${(rssMb / 400).toFixed(2)} goal 1`)
  } finally {
    sshd.stop()
    rmSync(dir, { recursive: true })
  }
}
