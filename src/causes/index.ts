import type { Cause } from '../model/cause.ts'
import { hostCauses } from './host.ts'
import { podNetworkCauses } from './pod-network.ts'
import { serviceCauses } from './services.ts'

/**
 * Every known cause of a broken pod network. Where several hold at once and explain the same failed check, the one that
 * comes first here is the one that is named: what is nearer to the root comes before what follows from it.
 */
export const causes: readonly Cause[] = [...hostCauses, ...podNetworkCauses, ...serviceCauses]
