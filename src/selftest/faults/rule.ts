/** One rule of iptables, put before all others of its chain and taken out again: `PREROUTING -t mangle`, and what it says. */
export const rule = (where: string, what: string) => ({
  make: `iptables -w -I ${where} ${what}`,
  undo: `iptables -w -D ${where} ${what}`,
})
