import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

export interface UserConfig {
  /** The user's home directory; empty where there is no such user. */
  readonly home: string
  /** ~/.kube/config compared with /etc/kubernetes/admin.conf. */
  readonly state: 'absent' | 'same' | 'foreign'
  /** Is there a directory ~/.kube? */
  readonly directory: boolean
}

/** The kubeconfig of a user on this host. */
export function userConfig(user: string): Fact<UserConfig> {
  return {
    ask: sh`home=$(getent passwd ${user} | cut -d: -f6) || :
config=$home/.kube/config
state=foreign
[ -e "$config" ] || state=absent
[ $state = absent ] || ! cmp -s "$config" /etc/kubernetes/admin.conf || state=same
directory=no
[ ! -d "$home/.kube" ] || directory=yes
echo "$state $directory $home"`,
    parse: (out) => {
      const [state, directory, ...home] = out.trim().split(' ')
      return { home: home.join(' '), state: state as UserConfig['state'], directory: directory === 'yes' }
    },
  }
}
