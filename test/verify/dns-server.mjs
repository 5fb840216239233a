// A name server for the tests: one name, over UDP and TCP; answers NXDOMAIN to every other. Arguments: NAME ADDRESS
import dgram from 'node:dgram'
import net from 'node:net'

const [name, address] = process.argv.slice(2)
const known = `${name
  .split('.')
  .map((part) => `${String.fromCharCode(part.length)}${part}`)
  .join('')}\0`

function answer(query) {
  const hit = query.subarray(12, query.length - 4).toString('latin1') === known
  const head = Buffer.from(query)
  head[2] = 0x85
  head[3] = hit ? 0 : 3
  head[7] = hit ? 2 : 0
  const alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 5, 0, 2, 0xc0, 12]
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)]
  return hit ? Buffer.concat([head, Buffer.from(alias), Buffer.from(record)]) : head
}

const udp = dgram.createSocket('udp4')
udp.on('message', (query, peer) => udp.send(answer(query), peer.port, peer.address))
const tcp = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', (data) => {
    const reply = answer(data.subarray(2))
    socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]))
  })
})
udp.bind(53, () => tcp.listen(53, () => console.log('ready')))
