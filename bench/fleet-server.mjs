// One process that is many hosts: an SSH server on every address of 127.0.0.0/8, which answers a gather as a real converged host
// answered it (recorded by
// fleet.mjs). argv: the file with the recorded answers. Prints its port; counts connections on demand.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import ssh2 from 'ssh2'

const { hostKey, publicKey, hosts, leader, worker } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const allowed = ssh2.utils.parseKey(publicKey)
const byAddress = new Map(hosts.map((host) => [host.address, host]))
const connected = new Map()

const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
  const host = byAddress.get(client._sock.localAddress)
  client.on('error', (error) => error.code === 'ECONNRESET' || console.error(error))
  client.on('authentication', (ctx) => {
    const same = ctx.method === 'publickey' && ctx.key.data.equals(allowed.getPublicSSH())
    if (!same) return ctx.reject(['publickey'])
    if (ctx.signature && !allowed.verify(ctx.blob, ctx.signature, ctx.hashAlgo)) return ctx.reject()
    ctx.accept()
  })
  client.on('session', (accept) => {
    accept().on('exec', (acceptExec, _, { command }) => {
      const channel = acceptExec()
      if (command !== '/bin/sh -s') return run(channel, command)
      let script = ''
      channel.on('data', (chunk) => {
        script += chunk
        if (!/\nk8snet_rc=.*\n$/.test(script)) return
        const { out, err } = answer(host, script)
        channel.stderr.write(err)
        channel.write(out)
        channel.exit(0)
        channel.end()
      })
    })
  })
})

/** What is no gather runs for real, with an empty /run of its own: the lock of a cluster. */
function run(channel, command) {
  const child = spawn('unshare', ['-m', 'sh', '-c', `mount -t tmpfs none /run && ${command}`])
  channel.pipe(child.stdin)
  child.stdin.on('error', () => undefined)
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr, { end: false })
  child.on('close', (code) => {
    channel.exit(code ?? 1)
    channel.end()
  })
}

/** What the shell would print: the frame of the exec, and in it the answer to each question with its mark. */
function answer(host, script) {
  const nonce = /printf '%s%s%s\\n' ([0-9a-f]+) '<'/.exec(script)[1]
  const mark = /@([0-9a-f]{12}) %s %s/.exec(script)[1]
  const recorded = host.leader ? leader : worker
  const outs = []
  const errs = []
  let i = 0
  for (const [, ask] of script
    .slice(script.indexOf('( :\n') + 4)
    .matchAll(/^\( ([\s\S]*?)\n\)\nprintf '\n@[^\n]*\n' \d+ \$\?$/gm)) {
    // a question may name the host's own address
    const text = recorded[ask] ?? recorded[ask.replaceAll(host.nodeIP, '@OWN@')]
    if (text === undefined) throw new Error(`not recorded: ${ask}`)
    outs.push(`${own(text, host)}\n@${mark} ${i} 0\n`)
    errs.push(`\n@${mark} ${i} 0\n`)
    i += 1
  }
  const framed = (text) => `${nonce}<\n${text}${nonce}> 0\n`
  return { out: framed(outs.join('')), err: framed(errs.join('')) }
}

/** What differs from host to host: its name, and the length of the file that holds it. */
const own = (text, { name, leader: isLeader }) =>
  isLeader ? text : text.replaceAll('w-0000', name).replaceAll('W0LEN', String(name.length + 1))

const listener = createServer({ noDelay: true }, (socket) => {
  connected.set(socket.localAddress, (connected.get(socket.localAddress) ?? 0) + 1)
  server.injectSocket(socket)
})
listener.listen(0, '0.0.0.0', 4096, () => console.log(JSON.stringify({ port: listener.address().port })))
createInterface({ input: process.stdin }).on('line', () => {
  console.log(JSON.stringify(Object.fromEntries(connected)))
  connected.clear()
})
