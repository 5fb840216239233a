import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from './lab.ts'
import { must, patiently, tools, works } from './tools.ts'

const repository = 'k8snet-lab-host'

/** The name of the host image: its tag is a hash of everything that it is made from, so a change makes a new one. */
export async function imageName(lab: Lab): Promise<string> {
  const dir = join(lab.dir, 'host')
  const hash = createHash('sha256')
  for (const name of (await readdir(dir)).sort()) hash.update(`${name}\0`).update(await readFile(join(dir, name)))
  return `${repository}:${hash.digest('hex').slice(0, 12)}`
}

/** Builds the host image where it is not there. */
export async function haveImage(lab: Lab, image: string): Promise<void> {
  const $ = tools(lab)
  if (await works(lab, $`docker image inspect ${image}`)) return
  lab.say('making the image of the hosts: Debian 12 with systemd and sshd, about 45 s')
  await patiently(
    lab,
    'host image',
    45,
    must(lab, 'making the host image', $`${lab.sudo} sh ${join(lab.dir, 'host/build.sh')} ${image}`),
  )
}

/** Removes every host image that no container uses. Returns their names. */
export async function removeImages(lab: Lab): Promise<string[]> {
  const $ = tools(lab)
  const images = (
    await must(lab, 'docker images', $`docker images ${repository} --format ${'{{.Repository}}:{{.Tag}}'}`)
  )
    .split('\n')
    .filter(Boolean)
  const removed = []
  for (const image of images) if (await works(lab, $`docker image rm ${image}`)) removed.push(image)
  return removed
}
