/** What `down` leaves on purpose, as README, "What down leaves", lists it: lines of the snapshot's difference. */
export const leftOnPurpose: readonly RegExp[] = [
  /^[+-] modules: /, // unloading a kernel module is unsafe
]
