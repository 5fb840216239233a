import { quote } from '../model/shell.ts'

/** A command as its completion needs it. */
export interface Verb {
  /** From the top: `k8snet lab up` */
  readonly path: string
  readonly about: string
  readonly flags: readonly Flag[]
  readonly subs: readonly { readonly name: string; readonly about: string }[]
  /** The first one; the others are texts. */
  readonly argument?: { readonly name: string; readonly values: Values }
}

export interface Flag {
  /** `-o` and `--output` */
  readonly names: readonly string[]
  readonly about: string
  /** Where it takes one. */
  readonly values?: Values
}

/** These words, a file, a directory, or a text that nobody can guess. */
export type Values = readonly string[] | 'file' | 'directory' | 'text'

/** Each shell's script, which needs no k8snet to run. */
export const shells = { bash, zsh, fish }

function bash(verbs: readonly Verb[]): string {
  const values = verbs.flatMap(({ path, flags }) =>
    flags.flatMap(({ names, values }) =>
      values === undefined ? [] : [`    ${words(names.map((name) => `${path} ${name}`))}) ${offer(values)} ;;`],
    ),
  )
  const free = verbs.map(({ path, subs, argument }) => {
    const values = subs.length > 0 ? subs.map(({ name }) => name) : (argument?.values ?? 'text')
    return `    ${quote(path)}) ${offer(values)} ;;`
  })
  const flags = verbs.map(
    ({ path, flags }) => `    ${quote(path)}) ${offer(flags.map(({ names }) => names.at(-1)!))} ;;`,
  )
  return `# bash completion of k8snet, made by: k8snet completion bash
_k8snet() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path=k8snet words= files= word IFS=$' \\t\\n'
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$path $word" in
    ${words(below(verbs))}) path="$path $word" ;;
    esac
  done
  case "$path $prev" in
${values.join('\n')}
  *)
    if [[ $cur == -* ]]; then
      case $path in
  ${flags.join('\n  ')}
      esac
    else
      case $path in
  ${free.join('\n  ')}
      esac
    fi
    ;;
  esac
  IFS=$'\\n'
  if [[ $files ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen "$files" -- "$cur"))
  else
    COMPREPLY=($(IFS=' ' && compgen -W "$words" -- "$cur"))
  fi
}
complete -F _k8snet k8snet
`
}

function offer(values: Values): string {
  if (values === 'text') return ':'
  if (values === 'file') return 'files=-f'
  return values === 'directory' ? 'files=-d' : `words=${quote(values.join(' '))}`
}

function zsh(verbs: readonly Verb[]): string {
  const plain = (text: string) => text.replace(/[[\]:\\]/g, '\\$&')
  const action = (values: Values) => {
    if (values === 'text') return ' '
    if (values === 'file') return '_files'
    return values === 'directory' ? '_files -/' : `(${values.join(' ')})`
  }
  const nameOf = (path: string) => `_${path.replaceAll(/[ -]/g, '_')}`
  const functions = verbs.map(({ path, flags, subs, argument }) => {
    const specs = flags.map(({ names, about, values }) => {
      const alone = names.length > 1 ? `(${names.join(' ')})` : ''
      const value = values === undefined ? '' : `:value:${action(values)}`
      return names.map((name) => quote(`${alone}${name}[${plain(about)}]${value}`)).join(' ')
    })
    if (subs.length === 0) {
      const free = argument ? [quote(`1:${plain(argument.name)}:${action(argument.values)}`)] : []
      return `${nameOf(path)}() {\n  _arguments \\\n    ${[...specs, ...free].join(' \\\n    ')}\n}`
    }
    const list = subs.map(({ name, about }) => quote(`${name}:${plain(about)}`)).join('\n    ')
    const calls = subs.map(({ name }) => `    ${name}) ${nameOf(`${path} ${name}`)} ;;`).join('\n')
    return `${nameOf(path)}() {
  local state line context
  typeset -A opt_args
  local -a verbs=(
    ${list}
  )
  _arguments -C \\
    ${[...specs, "'1: :->verb'", "'*:: :->rest'"].join(' \\\n    ')}
  case $state in
  verb) _describe verb verbs ;;
  rest)
    case $words[1] in
${calls}
    esac
    ;;
  esac
}`
  })
  return `#compdef k8snet
# zsh completion of k8snet, made by: k8snet completion zsh
${functions.join('\n')}
if [[ $funcstack[1] == _k8snet ]]; then _k8snet "$@"; else compdef _k8snet k8snet; fi
`
}

function fish(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap(({ path, flags, subs, argument }) => {
    const line = (...rest: string[]) => `complete -c k8snet -n ${quote(`__k8snet_at ${path}`)} ${rest.join(' ')}`
    const take = (values: Values) => {
      if (values === 'text') return '-x'
      if (values === 'file') return '-r -F'
      return values === 'directory' ? "-x -a '(__fish_complete_directories)'" : `-x -a ${quote(values.join(' '))}`
    }
    const free = argument === undefined ? 'text' : argument.values
    return [
      ...subs.map(({ name, about }) => line('-a', name, '-d', quote(about))),
      ...flags.map(({ names, about, values }) =>
        line(
          ...names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)),
          ...(values === undefined ? [] : [take(values)]),
          '-d',
          quote(about),
        ),
      ),
      ...(free === 'text' ? [] : [line(free === 'file' ? '-F' : take(free).replace('-x ', ''))]),
    ]
  })
  return `# fish completion of k8snet, made by: k8snet completion fish
function __k8snet_at
    set -l path k8snet
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case ${below(verbs).map(quote).join(' ')}
                set path "$path $word"
        end
    end
    test "$path" = "$argv"
end
complete -c k8snet -f
${lines.join('\n')}
`
}

/** The paths of all commands but the top. */
function below(verbs: readonly Verb[]): string[] {
  return verbs.slice(1).map(({ path }) => path)
}

const words = (all: readonly string[]): string => all.map(quote).join(' | ')
