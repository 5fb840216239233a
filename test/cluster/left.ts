/** What `down` leaves on purpose, as README, "What down leaves", lists it: lines of the snapshot's difference. */
export const leftOnPurpose: readonly RegExp[] = [
  /^[+-] modules: /, // unloading a kernel module is unsafe
  /^\+ state directories: \/run\/xtables\.lock$/, // an empty lock file of iptables
  // built-in chains of iptables, empty and accepting, in tables that were there before
  /^\+ nft: \tchain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) \{$/,
  /^\+ nft: \t\ttype (nat|filter|route) hook \w+ priority [\w -]+; policy accept;$/,
]
