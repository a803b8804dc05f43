# shellcheck shell=bash
# The nodes of scripts/kafka-local together: start, end, wipe, status. Sourced, not run.
#
# In:    what the command line says; need_kafka, lock_dir.
# Holds: a start that fails leaves no node running that it launched.
# shellcheck disable=SC2154 # kafka-local sets dir, port, wanted_nodes, only_node, broker_config

# Seconds: a cold JVM on a busy two-core machine answers in about ten; several share the cores.
readonly START_TIMEOUT_S=90

# ---- the nodes ---------------------------------------------------------------------------------

# Sets `nodes`, the cluster's size, and `chosen`, the nodes that the command is about.
choose_nodes() {
  local found
  found=$(nodes_in_dir)
  if [[ -n $wanted_nodes && $found -gt 0 && $wanted_nodes -ne $found ]]; then
    die "--nodes $wanted_nodes: $dir holds $found; wipe it first, or give another --dir"
  fi
  if [[ -n $only_node && $only_node -gt $found ]]; then
    misuse "--node $only_node: $dir holds $found; scripts/kafka-local start --nodes N makes more"
  fi
  nodes=${wanted_nodes:-$((found > 0 ? found : 1))}
  if [[ -n $only_node ]]; then chosen=("$only_node"); else mapfile -t chosen < <(seq "$nodes"); fi
}

# Prints the addresses of all nodes, as clients take them.
bootstrap() {
  local addresses='' i
  for ((i = 0; i < nodes; i++)); do addresses+=,127.0.0.1:$((port + i)); done
  printf '%s\n' "${addresses:1}"
}

# ---- start -------------------------------------------------------------------------------------

# What stands in the way of starting the nodes "$@" while those in `running` run. Sets port.
check_start() {
  local i node_port current
  use_node 1
  current=$(configured_port)
  if [[ ${#running[@]} -eq 0 && -z $only_node ]]; then
    port=${port:-9092}
  else
    if [[ -n $port && $port != "$current" ]]; then
      die "the broker in $dir has port $current; stop it first, or give another --dir"
    fi
    port=$current
    if [[ ${#broker_config[@]} -gt 0 ]]; then
      say "note: --broker-config takes effect at a start of all after a stop of all"
    fi
  fi
  # A node in a minority waits for the others' votes before it answers anybody.
  if (($# > 0 && ($# + ${#running[@]}) * 2 <= nodes)); then
    die "with ${#running[@]} of $nodes nodes running, node $only_node would be in a minority;" \
      "start all that are away: scripts/kafka-local start --dir $dir"
  fi
  ((port + nodes - 1 <= 65535)) || misuse "--port $port: no room for $nodes nodes"
  for i in "$@"; do
    node_port=$((port + i - 1))
    if port_taken "$node_port"; then
      die "port $node_port is taken on 127.0.0.1; stop what listens there" \
        "(ss -ltnp 'sport = :$node_port')," \
        "or start with another --port (and --dir, if that is a broker of ours)"
    fi
  done
}

# The settings of all nodes, for a start at which none runs yet: the controllers' ports are new.
write_all_properties() {
  local first=$((port + 10000)) next controller_ports=() i
  ((first <= 65000)) || first=$((port - 10000))
  next=$first
  for i in "${chosen[@]}"; do
    use_node "$i"
    [[ ! -e $data || -e $properties ]] \
      || die "$data exists but is not this script's; give another --dir"
    next=$(free_port "$next") || die "no free port for the controller from $first on"
    controller_ports+=("$next")
    next=$((next + 1))
  done
  for i in "${chosen[@]}"; do
    use_node "$i"
    write_properties "${controller_ports[@]}"
  done
}

# Formats the nodes that are not formatted yet, all with the same id of the cluster.
format_all() {
  local id='' formatters=() formatter failed=no i
  for i in "${chosen[@]}"; do
    use_node "$i"
    id=${id:-$(sed -n 's/^cluster.id=//p' "$data/meta.properties" 2>/dev/null || true)}
  done
  if [[ -z $id ]]; then
    # As Kafka writes ids: 16 random bytes in URL-safe base64; one more letter first than "-".
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    id=L${id:1}
  fi
  for i in "${chosen[@]}"; do
    use_node "$i"
    if [[ ! -f $data/meta.properties ]]; then
      format_storage "$id" &
      formatters+=($!)
    fi
  done
  for formatter in "${formatters[@]}"; do wait "$formatter" || failed=yes; done
  [[ $failed == no ]] || exit 1
}

# Gives up a start: $1 is what the chosen node did. Nothing that it launched stays.
give_up_start() {
  local its_log=$log
  show_log_end
  end_nodes TERM "${launched[@]}"
  die "$1; its log: $its_log"
}

# Waits until the nodes "$@" answer and each knows all of them.
wait_until_they_answer() {
  local deadline=$((SECONDS + START_TIMEOUT_S)) i other
  for i in "$@"; do
    until kafka_answers $((port + i - 1)) $#; do
      for other in "$@"; do
        use_node "$other"
        kill -0 "$(cat "$pid_file")" 2>/dev/null \
          || give_up_start "the broker ended during its start"
      done
      use_node "$i"
      ((SECONDS < deadline)) || give_up_start \
        "the broker did not answer on 127.0.0.1:$((port + i - 1)) within $START_TIMEOUT_S s"
      sleep 0.2
    done
    use_node "$i"
    # Somebody else's broker could have answered, had it taken the port in between.
    running_pid >/dev/null || die "another broker answers on port $((port + i - 1)); our log: $log"
  done
}

start_nodes() {
  local running=() launched=() i
  for ((i = 1; i <= nodes; i++)); do
    use_node "$i"
    if running_pid >/dev/null; then running+=("$i"); fi
  done
  for i in "${chosen[@]}"; do
    [[ " ${running[*]} " == *" $i "* ]] || launched+=("$i")
  done
  check_start "${launched[@]}"
  if [[ ${#launched[@]} -gt 0 ]]; then
    need_kafka
    # Where some run, the voters' ports in the settings are those of the running.
    if [[ ${#running[@]} -eq 0 && -z $only_node ]]; then
      write_all_properties
      format_all
    fi
    for i in "${launched[@]}"; do
      use_node "$i"
      launch
    done
  fi
  wait_until_they_answer "${running[@]}" "${launched[@]}"
  for i in "${chosen[@]}"; do
    use_node "$i"
    if [[ " ${launched[*]} " == *" $i "* ]]; then
      say "started: pid $(running_pid), folder $node_dir, log $log"
    else
      say "already running: pid $(running_pid), folder $node_dir"
    fi
  done
  bootstrap
}

# ---- stop, kill, wipe, status ------------------------------------------------------------------

# Ends the nodes "${@:2}" by the signal $1, all at once.
end_nodes() {
  local signal=$1 pids=() i pid
  for i in "${@:2}"; do
    use_node "$i"
    if pid=$(running_pid); then
      kill "-$signal" "$pid" 2>/dev/null || true
      pids[i]=$pid
    else
      say "not running: $node_dir"
      rm -f "$pid_file"
    fi
  done
  for i in "${!pids[@]}"; do
    use_node "$i"
    finish_node "${pids[i]}"
  done
}

wipe_nodes() {
  if [[ ! -e $dir ]]; then
    say "nothing to wipe: $dir does not exist"
    return
  fi
  local i
  for i in "${chosen[@]}"; do
    use_node "$i"
    [[ -e $properties && $(head -n 1 "$properties") == "$MARK" ]] \
      || die "$node_dir is not a folder of this script; nothing deleted"
  done
  lock_dir
  # What a clean shutdown would write is deleted anyway.
  end_nodes KILL "${chosen[@]}"
  for i in "${chosen[@]}"; do
    use_node "$i"
    delete_node
  done
  rm -f "$dir/broker.lock"
  rmdir "$dir" 2>/dev/null || say "other files are left in $dir"
  say "wiped: $dir"
}

status_of_nodes() {
  local pid all=yes i node_port
  for i in "${chosen[@]}"; do
    use_node "$i"
    node_port=$(configured_port)
    if ! pid=$(running_pid); then
      say "not running: $node_dir"
      all=no
    elif ! kafka_answers "$node_port"; then
      say "runs, but does not answer on 127.0.0.1:$node_port: pid $pid, folder $node_dir"
      all=no
    else
      say "running: pid $pid, 127.0.0.1:$node_port, folder $node_dir"
    fi
  done
  [[ $all == yes ]] || exit 3
  use_node 1
  port=$(configured_port)
  bootstrap
}
