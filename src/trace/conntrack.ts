import { type Flying, sameTuple, type Tuple } from './packet.ts'

/** An entry of a node's table of connections: the packet as it came, and as its answer comes. */
export interface Connection {
  readonly protocol: string
  readonly asked: Tuple
  answered: Tuple
}

/** What conntrack makes of a packet: a new connection, the same once more, or an answer. */
export interface Entered {
  readonly connection: Connection
  readonly is: 'new' | 'again' | 'answer'
}

/** A packet, and the tables of the nodes that it has passed. */
interface Passage {
  readonly packet: Flying
  readonly connections: Map<string, Connection[]>
}

/** Looks the packet up in the node's table, enters it where it is new, and sets its state. */
export function enter({ packet, connections }: Passage, node: string): Entered {
  const table = connections.get(node) ?? []
  connections.set(node, table)
  const known = table.filter(({ protocol }) => protocol === packet.protocol)
  const answer = known.find((one) => sameTuple(one.answered, packet))
  const again = known.find((one) => sameTuple(one.asked, packet) || sameTuple(reversed(one.answered), packet))
  packet.mark = 0
  if (answer) return entered(packet, answer, 'answer')
  if (again) return entered(packet, again, 'again')
  const { source, sourcePort, destination, port } = packet
  const asked = { source, sourcePort, destination, port }
  const connection: Connection = { protocol: packet.protocol, asked, answered: reversed(asked) }
  table.push(connection)
  return entered(packet, connection, 'new')
}

function entered(packet: Flying, connection: Connection, is: Entered['is']): Entered {
  packet.state = is === 'answer' ? 'established' : 'new'
  noteNat(packet, connection)
  return { connection, is }
}

/** Writes down what the rules made of the packet, so that the answer finds back. */
export function confirm(packet: Flying, connection: Connection): void {
  connection.answered = reversed(packet)
  noteNat(packet, connection)
}

function noteNat(packet: Flying, { asked, answered }: Connection): void {
  packet.dnat = asked.destination !== answered.source || asked.port !== answered.sourcePort
  packet.snat = asked.source !== answered.destination || asked.sourcePort !== answered.port
}

/** An answer's destination goes back to who asked: what masquerading hid. True where that changes it. */
export function restoreDestination(packet: Flying, { connection, is }: Entered): boolean {
  const { source, sourcePort } = connection.asked
  if (is !== 'answer' || (packet.destination === source && packet.port === sourcePort)) return false
  packet.destination = source
  packet.port = sourcePort
  return true
}

/** An answer's source goes back to what was asked: the address of the Service. True where that changes it. */
export function restoreSource(packet: Flying, { connection, is }: Entered): boolean {
  const { destination, port } = connection.asked
  if (is !== 'answer' || (packet.source === destination && packet.sourcePort === port)) return false
  packet.source = destination
  packet.sourcePort = port
  return true
}

const reversed = ({ source, sourcePort, destination, port }: Tuple): Tuple => ({
  source: destination,
  sourcePort: port,
  destination: source,
  port: sourcePort,
})
