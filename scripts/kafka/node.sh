# shellcheck shell=bash
# One node of scripts/kafka-local: its folder, its properties, its process. Sourced, not run.
#
# In:    the folder and the shape of the cluster, as kafka-local's command line and folder say.
# Holds: every function acts on the node that `use_node` chose last, and on no process that is not
#        that node's by its command line.
# shellcheck disable=SC2154 # kafka-local sets dir, nodes, port, java, classpath, broker_config

# Seconds for a clean shutdown (it writes its indexes) before SIGKILL.
readonly STOP_TIMEOUT_S=30
# First line of our properties file: `wipe` deletes nothing without it.
readonly MARK="# Written by scripts/kafka-local at every start; edits are lost."

# ---- which node, and is it there ---------------------------------------------------------------

# Chooses node $1. A single node has the whole folder; one of several is a folder just like it.
use_node() {
  node=$1
  node_dir=$dir
  if [[ $nodes -gt 1 ]]; then node_dir=$dir/node-$node; fi
  properties=$node_dir/broker.properties
  pid_file=$node_dir/broker.pid
  log=$node_dir/broker.log
  data=$node_dir/broker-data
  # One argument of the broker's command line; a pid counts as ours only with it.
  dir_argument=-Dlogintide.kafka.dir=$node_dir
}

# Prints how many nodes the folder holds; 0 when nothing was started there yet.
nodes_in_dir() {
  if [[ -e $dir/node-1/broker.properties ]]; then
    sed -n 's/^# nodes //p' "$dir/node-1/broker.properties"
  elif [[ -e $dir/broker.properties ]]; then
    echo 1
  else
    echo 0
  fi
}

# Prints the pid of the node's broker; fails when it does not run. The pid alone proves nothing
# (it may be another process by now, or a zombie), its command line does.
running_pid() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
  grep -qzFx -- "$dir_argument" "/proc/$pid/cmdline" 2>/dev/null || return 1
  printf '%s\n' "$pid"
}

configured_port() { sed -n 's/^# port //p' "$properties" 2>/dev/null || true; }

# ---- start -------------------------------------------------------------------------------------

# "$@": the controllers' ports, one per node.
write_properties() {
  local ports=("$@") voters='' i
  for ((i = 1; i <= nodes; i++)); do voters+=,$i@127.0.0.1:${ports[i - 1]}; done
  local own_port=$((port + node - 1)) replicas=$((nodes < 3 ? nodes : 3))
  # With three replicas one node may go without stopping writes or losing what was acknowledged.
  local in_sync=$((nodes < 3 ? 1 : 2))
  mkdir -p "$node_dir"
  {
    cat <<END
$MARK
# port $own_port
# nodes $nodes
process.roles=broker,controller
node.id=$node
controller.quorum.voters=${voters:1}
listeners=PLAINTEXT://127.0.0.1:$own_port,CONTROLLER://127.0.0.1:${ports[node - 1]}
advertised.listeners=PLAINTEXT://127.0.0.1:$own_port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$data
num.partitions=8
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
unclean.leader.election.enable=false
# 50 partitions for each internal topic would only cost start-up time.
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
# A group's first member need not wait for others.
group.initial.rebalance.delay.ms=0
# Tests write records with timestamps years ago; the default would delete them within minutes.
log.retention.ms=-1
END
    # Last, so that they win: a repeated key takes its last value.
    if [[ ${#broker_config[@]} -gt 0 ]]; then printf '%s\n' "${broker_config[@]}"; fi
  } >"$properties"
}

# $1: the id of the cluster.
format_storage() {
  local out
  out=$(run_tool kafka.tools.StorageTool format --config "$properties" --cluster-id "$1" 2>&1) \
    || die "formatting the storage in $data failed:"$'\n'"$out"
}

# Sets broker_pid.
launch() {
  local logging=(
    -Dorg.slf4j.simpleLogger.showDateTime=true
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"
  )
  if [[ -n ${KAFKA_HOME:-} ]]; then
    logging=("-Dlog4j2.configurationFile=$KAFKA_HOME/config/log4j2.yaml"
      "-Dkafka.logs.dir=$node_dir/broker-logs")
  fi
  local heap default_heap='-Xms512m -Xmx1g'
  if [[ $nodes -gt 1 ]]; then default_heap='-Xms256m -Xmx512m'; fi
  read -ra heap <<<"${KAFKA_HEAP_OPTS:-$default_heap}"
  # A session of its own: Ctrl-C in the caller's terminal, or its end, is not for the broker.
  # setsid becomes Java without a fork (a script's children lead no process group): $! is the pid.
  setsid "$java" "${heap[@]}" -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    "$dir_argument" "${logging[@]}" -cp "$classpath" kafka.Kafka "$properties" \
    </dev/null >"$log" 2>&1 9>&- &
  broker_pid=$!
  printf '%s\n' "$broker_pid" >"$pid_file"
}

# The last lines that say something; a start logs its whole configuration.
show_log_end() {
  grep -E 'ERROR|WARN|Exception|rror:' "$log" | tail -n 8 >&2 || tail -n 8 "$log" >&2
}

# ---- end ---------------------------------------------------------------------------------------

# Waits until the process $1 is gone, at most $2 seconds. A process that ends loses its command
# line before its port and its file locks. A zombie has lost them only when it is the last thread:
# the others may still be ending.
wait_gone() {
  local deadline=$((SECONDS + $2)) threads
  while [[ -e /proc/$1 ]]; do
    if grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; then
      threads=("/proc/$1/task/"*)
      if [[ ${#threads[@]} -le 1 ]]; then return 0; fi
    fi
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# Waits until the node's process $1, which got a signal, is gone.
finish_node() {
  if ! wait_gone "$1" "$STOP_TIMEOUT_S"; then
    say "pid $1 did not end within $STOP_TIMEOUT_S s; SIGKILL"
    kill -KILL "$1" 2>/dev/null || true
    wait_gone "$1" 60 || die "pid $1 does not end even on SIGKILL"
  fi
  rm -f "$pid_file"
  say "stopped: pid $1, folder $node_dir"
}

# Deletes what the node wrote, and nothing else.
delete_node() {
  rm -rf "$data" "$node_dir/broker-logs"
  rm -f "$log" "$pid_file" "$properties"
  if [[ $node_dir != "$dir" ]]; then
    rmdir "$node_dir" 2>/dev/null || say "other files are left in $node_dir"
  fi
}
