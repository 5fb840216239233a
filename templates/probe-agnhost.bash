#!/bin/bash
# The client of probe.py for an image of agnhost, whose netexec is the server: bash, curl, dig, ping.
# Reads probes from stdin and prints one line for each as probe.py does, all side by side.
#   bash probe-agnhost.bash SECONDS
seconds=$1
at_once=50
# One try after the other takes long on a busy node; as long as a Service answers there is no hurry.
patience=10

result() { # ID BEGAN ok|fail TEXT
  printf 'r %s %s %s %s\n' "$1" "$3" "$(((${EPOCHREALTIME/[.,]/} - $2) / 1000))" "${4//$'\n'/ }"
}

# What curl and the shell say, in the words of probe.py.
why() {
  case $1 in
    *refused*) echo refused ;;
    *'imed out'* | *timeout*) echo timeout ;;
    *unreachable* | *'o route to host'*) echo unreachable ;;
    *reset*) echo reset ;;
    # curl does not say which of refused and unreachable it was
    *'onnect to '*) echo unconnected ;;
    '') echo timeout ;;
    *) echo closed ;;
  esac
}

# Prints NAME SEEN, or the reason on stderr.
tcp() { # IP PORT SECONDS
  local said
  if said=$(curl -sS --fail-early --noproxy '*' -m "$3" -w '\n' "http://$1:$2/hostname" "http://$1:$2/clientip" 2>&1) && [[ $said == *$'\n'* ]]; then
    echo "${said%%$'\n'*} $(address "${said#*$'\n'}")"
  else
    why "$said" >&2
    return 1
  fi
}

udp() { # IP PORT SECONDS
  local name seen
  if name=$(ask_udp "$1" "$2" "$3" hostname) && seen=$(ask_udp "$1" "$2" "$3" clientip); then
    echo "$name $(address "$seen")"
  else
    why "$name" >&2
    return 1
  fi
}

# Each question has a socket of its own. It is sent twice, for datagrams may be lost. Prints the answer, or what the system says.
ask_udp() { # IP PORT SECONDS QUESTION
  local said
  for _ in 1 2; do
    said=$({ printf %s "$4" >&3 && timeout "$3" dd bs=2048 count=1 status=none <&3; } 3<>"/dev/udp/$1/$2" 2>&1)
    case $said in '') ;; *' '*) break ;; *) printf %s "$said" && return 0 ;; esac
  done
  printf %s "$said"
  return 1
}

# 10.244.1.5:4711 -> 10.244.1.5
address() {
  local ip=${1%:*}
  ip=${ip#[}
  echo "${ip%]}"
}

# Asks a Service again and again until so many of its endpoints have answered.
spread() { # ID BEGAN tcp|udp IP PORT COUNT
  local -A seen=()
  local answers=0 reason=timeout said names=-
  until ((${#seen[@]} >= $6 || answers >= 16 * $6 + 32 || ${EPOCHREALTIME/[.,]/} - $2 > (answers > 0 ? patience : seconds) * 1000000)); do
    if said=$("$3" "$4" "$5" 1 2>&1); then
      answers=$((answers + 1))
      seen[${said%% *}]=1
    else
      reason=$said
    fi
  done
  ((${#seen[@]} == 0)) || names=$(printf '%s\n' "${!seen[@]}" | sort | tr '\n' ,)
  names=${names%,}
  if ((${#seen[@]} >= $6)); then
    result "$1" "$2" ok "$names"
  else
    ((${#seen[@]} == 0)) || reason=missed
    result "$1" "$2" fail "$reason $names $answers"
  fi
}

dns() { # IP PORT NAME [dnstcp]
  local said status addresses
  said=$(dig +noedns +time=1 "+tries=$seconds" +noall +comments +answer +stats ${4:++tcp} -p "$2" "@$1" "$3" A)
  status=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$said")
  if [ -z "$status" ]; then
    why "$said"
    return 1
  fi
  addresses=$(awk '$4 == "A" { print $5 }' <<<"$said" | sort | tr '\n' ,)
  addresses=${addresses%,}
  # The time of the query and of those before it that nobody answered, without that of starting programs on a busy node.
  echo "$(($(sed -n 's/.*Query time: \([0-9]*\) msec.*/\1/p' <<<"$said") + 1000 * $(grep -c 'timed out' <<<"$said"))) $status ${addresses:--}"
}

one() { # ID KIND IP [PORT [ARG]]
  local began=${EPOCHREALTIME/[.,]/} said ok=fail
  case $2 in
    tcp | udp) said=$("$2" "$3" "$4" "$seconds" 2>&1) && ok=ok ;;
    svctcp | svcudp)
      spread "$1" "$began" "${2#svc}" "$3" "$4" "$5"
      return
      ;;
    icmp)
      said=$3
      if ping -c 1 -W "$seconds" "$3" >/dev/null 2>&1; then ok=ok; else said=timeout; fi
      ;;
    dnsudp | dnstcp)
      if said=$(dns "$3" "$4" "$5" "${2#dnsudp}"); then
        ok=ok
        began=$((${EPOCHREALTIME/[.,]/} - ${said%% *} * 1000))
        said=${said#* }
      fi
      ;;
    http)
      if said=$(curl -sS --noproxy '*' -m "$seconds" -o /dev/null -w 'HTTP %{http_code}' "http://$3:$4/" 2>&1); then ok=ok; else said=$(why "$said"); fi
      ;;
    *) said="unknown kind $2" ;;
  esac
  result "$1" "$began" "$ok" "$said"
}

count=0
while read -r id kind ip port arg; do
  [ -n "$id" ] || continue
  one "${id%%/*}" "$kind" "$ip" "$port" "$arg" &
  count=$((count + 1))
  ((count % at_once)) || wait
done
wait
echo "end $count"
