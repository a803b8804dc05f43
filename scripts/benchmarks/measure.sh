# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# What the sections of scripts/bench share: a broker, one measured run, tables and plots. Sourced.
#
# Needs: root, scratch, logintide, loadgen, loadgen_mimalloc, upper_bound.
# A run in which the host of a virtual machine took processor time for others says little: `calm`
# makes it again.
# Results: $scratch/results, one line per run, "section kind point round events wall_s own_s
# broker_s peak_KiB steady"; steady is events/s between 10 and 90 %. $scratch/threads: "section
# kind point round thread own_s".

# Where to look for a free port; see scripts/test.
readonly FIRST_PORT=20392
hertz=$(getconf CLK_TCK)
readonly hertz

broker_dir=
broker_pids=()
children=()

# Something to wait on without starting a program: nothing ever comes.
exec {nothing}<> <(:)
pause() { read -rt "$1" -u "$nothing" || true; }

# As in production: in the small heap that kafka-local gives a broker its garbage collector stops it
# so often that a hundredth of the events waits for it.
readonly BROKER_HEAP=${KAFKA_HEAP_OPTS:--Xms4g -Xmx4g}

# Starts $1 brokers (1), ends those that ran. One alone has BROKER_HEAP and tells of its pauses in
# its log. "${@:2}" goes to kafka-local.
start_broker() {
  local nodes=${1:-1} port pid_file
  local -x KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:-}
  [[ $nodes -gt 1 ]] || KAFKA_HEAP_OPTS="$BROKER_HEAP -Xlog:gc:stdout:uptime"
  stop_broker
  broker_dir=$scratch/kafka
  port=$(free_port "$FIRST_PORT") || die "no free port from $FIRST_PORT on"
  # What a run wrote goes when its topics go, not in the midst of another one a minute later.
  KAFKA_BROKERS=$(scripts/kafka-local start --port "$port" --dir "$broker_dir" --nodes "$nodes" \
    --broker-config log.segment.delete.delay.ms=1000 "${@:2}" | tail -n 1)
  export KAFKA_BROKERS
  broker_pids=()
  while read -r pid_file; do broker_pids+=("$(<"$pid_file")"); done \
    < <(find "$broker_dir" -name broker.pid)
}

stop_broker() {
  [[ -n $broker_dir ]] || return 0
  scripts/kafka-local wipe --dir "$broker_dir" >/dev/null 2>&1 || true
  broker_dir=
}

# Ends everything that was started here.
end_children() {
  local pid
  for pid in "${children[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  children=()
}

# Sets `ticks` to user and system time of the task whose folder is $1; fails when it is gone.
read_ticks() {
  local line
  { read -r line <"$1/stat"; } 2>/dev/null || return 1
  # After the name, which may have blanks in it: state is the first field, user time the 12th.
  line=${line##*) }
  # shellcheck disable=SC2086
  set -- $line
  ticks=$((${12} + ${13}))
  state=$1
}

broker_ticks() {
  local pid sum=0
  for pid in "${broker_pids[@]}"; do
    read_ticks "/proc/$pid" || die "the broker is gone"
    sum=$((sum + ticks))
  done
  ticks=$sum
}

# Runs "${@:7}" and adds its results: $1 section, $2 kind, $3 point, $4 round, $5 events it takes,
# $6 topic that grows by as many records (its rate between 10 and 90 % is the steady one; - for
# none).
measure() {
  local section=$1 kind=$2 point=$3 round=$4 events=$5 topic=$6
  shift 6
  local before began ended shell pid='' watcher=0 code=0 peak=0 steady=0 task name line ticks state
  local -A threads=() names=()
  if [[ $topic != - ]]; then
    "$loadgen" rate --topic "$topic" --count "$events" >"$scratch/rate" 2>&1 &
    watcher=$!
    children+=("$watcher")
  fi
  broker_ticks
  before=$ticks
  began=$EPOCHREALTIME
  # In a shell of its own, which is told the times of what it waited for.
  (
    TIMEFORMAT='%3U %3S'
    time "$@" >"$scratch/out" 2>&1
  ) 2>"$scratch/times" &
  shell=$!
  children+=("$shell")
  while kill -0 "$shell" 2>/dev/null && [[ -z $pid ]]; do
    # There is no end of line in it.
    { read -r pid line <"/proc/$shell/task/$shell/children"; } 2>/dev/null || true
  done
  [[ -z $pid ]] || children+=("$pid")
  while [[ -n $pid ]] && read_ticks "/proc/$pid" && [[ $state != Z ]]; do
    {
      while read -r name line; do
        if [[ $name == VmHWM: ]]; then peak=${line%% *}; fi
      done <"/proc/$pid/status"
    } 2>/dev/null || true
    for task in "/proc/$pid/task/"*; do
      read_ticks "$task" || continue
      { read -r name <"$task/comm"; } 2>/dev/null || continue
      names[$task]=$name
      threads[$task]=$ticks
    done
    pause 0.05
  done
  wait "$shell" || code=$?
  ended=$EPOCHREALTIME
  if [[ $code -ne 0 ]]; then
    tail -n 20 "$scratch/out" >&2
    die "$section, $kind at $point ended with exit code $code"
  fi
  broker_ticks
  if [[ $watcher -ne 0 ]]; then
    wait "$watcher" || die "$section, $kind at $point: $(<"$scratch/rate")"
    steady=$(sed -n 's:^rate \([0-9]*\)/s.*:\1:p' "$scratch/rate")
  fi
  children=()
  awk -v began="$began" -v ended="$ended" -v hz="$hertz" -v own="$(tail -n 1 "$scratch/times")" \
    -v broker=$((ticks - before)) -v head="$section $kind $point $round $events" \
    -v tail="$peak $steady" \
    'BEGIN { split(own, cpu, " "); print head, ended - began, cpu[1] + cpu[2], broker / hz, tail }' \
    >>"$scratch/results"
  for task in "${!threads[@]}"; do
    # Threads of one kind together: worker-0, worker-1; rdk:broker1, rdk:broker2.
    name=${names[$task]}
    [[ $name != worker-* ]] || name=worker
    [[ $name != rdk:broker* ]] || name=rdk:broker
    echo "$section $kind $point $round ${name// /_} $((threads[$task] * 1000 / hertz))"
  done >>"$scratch/threads"
}

# ---- a host that takes processor time for others -----------------------------------------------

# Above this share of the processors' time a run is made again, `repeats` times at most.
readonly STOLEN_PERCENT=1
# Of the section that runs: measured runs, those that were made again, those that count although
# the host took more in each of them.
runs=0 repeated=0 disturbed=0
# Numbers the runs, for the names of groups and state folders.
attempt=0

# Sets `stolen` to what the host has taken of the processors so far, in clock ticks ("steal").
read_stolen() {
  local _
  read -r _ _ _ _ _ _ _ _ stolen _ </proc/stat
}

# Runs "$@", and again where the host took more than STOLEN_PERCENT meanwhile; then the lines it
# added to files of results are those of its last run.
calm() {
  local again file stolen before began
  local -A sizes
  runs=$((runs + 1))
  for ((again = 0; ; again++)); do
    for file in results threads latency starts; do
      touch "$scratch/$file"
      sizes[$file]=$(stat -c %s "$scratch/$file")
    done
    attempt=$((attempt + 1))
    read_stolen
    before=$stolen
    began=${EPOCHREALTIME/[.,]/}
    "$@"
    read_stolen
    # Percent of all processors' time, both sides times 10^8.
    if (((stolen - before) * 100000000 <= \
      STOLEN_PERCENT * hertz * $(nproc) * (${EPOCHREALTIME/[.,]/} - began))); then return; fi
    if ((again == repeats)); then
      disturbed=$((disturbed + 1))
      return
    fi
    [[ $again -gt 0 ]] || repeated=$((repeated + 1))
    say "the host took more than $STOLEN_PERCENT % of the processors meanwhile: again"
    for file in "${!sizes[@]}"; do truncate -s "${sizes[$file]}" "$scratch/$file"; done
  done
}

# Runs "${@:2}", which belongs to the round $1: as calm, but once where it only warms up.
measured() {
  if [[ $1 != 0 ]]; then
    calm "${@:2}"
  else
    attempt=$((attempt + 1))
    "${@:2}"
  fi
}

# As many partitions as each filled topic has.
declare -A partitions_of=()

# Creates empty topics "${@:2}" of as many partitions as the filled topic $1: a processor finds its
# outputs there, and their creation is no part of its run. One replica each, so that several brokers
# do not copy from each other as well.
create_topics() {
  local topic
  for topic in "${@:2}"; do fill "$topic" "${partitions_of[$1]}" 0 --replication 1; done
}

# How long the broker may take to delete what the dropped topics had.
readonly DELETION_SECONDS=30

# Deletes the topics of the outputs, all in one go, and waits until their files are gone.
drop_topics() {
  local until=$((SECONDS + DELETION_SECONDS))
  scripts/kafka-local exec --dir "$broker_dir" org.apache.kafka.tools.TopicCommand \
    --bootstrap-server "$KAFKA_BROKERS" --delete --if-exists --topic "$1" >/dev/null
  while [[ -n $(find "$broker_dir" -type d -name '*-delete' -print -quit 2>/dev/null) ]]; do
    ((SECONDS < until)) || die "after $DELETION_SECONDS s the broker has not deleted topics $1"
    pause 0.2
  done
}

# Fills the topic $1 of $2 partitions with $3 events of seven fields, about 215 bytes each; "${@:4}"
# are flags of loadgen produce.
fill() {
  partitions_of[$1]=$2
  "$loadgen" produce --topic "$1" --create-topic "$2" --count "$3" --seed 1 --bare "${@:4}" \
    >"$scratch/out" 2>&1 || { tail -n 20 "$scratch/out" >&2; die "loadgen produce failed"; }
}

# Measures a copy: $1 section, $2 kind, $3 point, $4 round, $5 events, $6 program, $7 topic.
copy() {
  measured "$4" copy_once "$@"
}

copy_once() {
  create_topics "$7" out-copy
  measure "$1" "$2" "$3" "$4" "$5" out-copy "$6" copy --from "$7" --to out-copy \
    --group-id "$1-$attempt" --exit-at-end "${@:8}"
  drop_topics 'out-.*'
}

# Measures what could be done at best: as copy, from the topic $6; "${@:7}" are flags.
bound() {
  measured "$4" bound_once "$@"
}

bound_once() {
  create_topics "$6" out-bound
  measure "$1" "$2" "$3" "$4" "$5" out-bound "$upper_bound" --brokers "$KAFKA_BROKERS" \
    --from "$6" --to out-bound --group-id "$1-$attempt" "${@:7}"
  drop_topics 'out-.*'
}

# Measures logintide: $1 section, $2 delivery, $3 point, $4 round, $5 events, $6 topic.
process() {
  measured "$4" process_once "$@"
}

process_once() {
  create_topics "$6" out-{processed,aggregated,dlq,late}
  measure "$1" "$2" "$3" "$4" "$5" "${watched:-out-processed}" \
    "${pinned[@]}" "$logintide" run --brokers "$KAFKA_BROKERS" --group-id "$1-$attempt" \
    --input-topic "$6" --processed-topic out-processed --aggregated-topic out-aggregated \
    --dead-letter-topic out-dlq --late-topic out-late --http off \
    --state-dir "$scratch/state/$1-$attempt" --exit-at-end --delivery "$2" "${@:7}"
  drop_topics 'out-.*'
}
# A command in front of logintide, such as taskset.
pinned=()

# ---- tables and plots --------------------------------------------------------------------------

# awk function: minimum, median and maximum of list[1] to list[n], which it sorts.
readonly THREE_AWK='
  function three(list, n, format,   i, j, t) {
    for (i = 1; i < n; i++) for (j = i + 1; j <= n; j++)
      if (list[j] < list[i]) { t = list[i]; list[i] = list[j]; list[j] = t }
    return sprintf(format " / " format " / " format, list[1], list[int((n + 1) / 2)], list[n])
  }'

# awk functions over results: value[section, kind, point, round, what].
# shellcheck disable=SC2034 # used by the sections
readonly RESULTS_AWK=$THREE_AWK'
  { id = $1 SUBSEP $2 SUBSEP $3 SUBSEP $4
    if ($4 > rounds[$1, $2, $3]) rounds[$1, $2, $3] = $4
    value[id, "rate"] = $5 / $6 / 1000; value[id, "own"] = $7 / $5 * 1e6
    value[id, "broker"] = $8 / $5 * 1e6; value[id, "peak"] = $9 / 1024
    value[id, "steady"] = $10 / 1000 }
  # Minimum, median and maximum over the rounds from 1 on; of ratios to kind b where there is one.
  function spread(section, a, b, point, what, format,   r, n, list) {
    n = 0
    for (r = 1; r <= rounds[section, a, point]; r++) {
      list[++n] = value[section, a, point, r, what]
      if (b != "") list[n] /= value[section, b, point, r, what]
    }
    return three(list, n, format)
  }'

# awk function over lines "kind value value...": minimum, median and maximum of a kind's column.
# shellcheck disable=SC2034 # used by the sections
readonly COLUMNS_AWK=$THREE_AWK'
  { n[$1]++; for (i = 2; i <= NF; i++) column_value[$1, i, n[$1]] = $i }
  function columns(kind, column, format,   i, list) {
    for (i = 1; i <= n[kind]; i++) list[i] = column_value[kind, column, i]
    return three(list, n[kind], format)
  }'

# Writes standard input as the section $1: to the terminal, and with --write into the document.
publish() {
  local text
  text=$(cat)
  printf '\n%s\n' "$text"
  if [[ $write == yes ]]; then
    grep -q "<!-- bench: $1 -->" "$DOCUMENT" || die "$DOCUMENT has no mark <!-- bench: $1 -->"
    text=$text awk -v mark="$1" '
      index($0, "<!-- bench: " mark " -->") { print; print ""; print ENVIRON["text"]; print ""
        skip = 1 }
      index($0, "<!-- /bench: " mark " -->") { skip = 0 }
      !skip' "$DOCUMENT" >"$scratch/document"
    cp "$scratch/document" "$DOCUMENT"
  fi
}

# What the figures were made on: date, commit, machine, versions.
conditions() {
  local cpu memory
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
  printf '%s, commit %s, %s cores of %s, %s, the broker on the same cores with `%s`; Kafka %s, librdkafka %s; %s.\n' \
    "$(date +%F)" "$("$logintide" --version | sed -n 's/.*commit \([0-9a-z]\{1,7\}\).*/\1/p')" \
    "$(nproc)" "$cpu" "$memory" "$BROKER_HEAP" \
    "$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' scripts/kafka/pom.xml)" \
    "$("$logintide" --version | sed -n 's/.*librdkafka \([0-9.]*\).*/\1/p')" \
    "$(if [[ $build == released ]]; then echo 'logintide as released'; else echo 'dist profile'; fi)"
  if ((runs > 0)); then
    printf '\nOf %d runs %d were made again, because the host of this virtual machine took more than %d %% of the processors; %d count although it did so%s.\n' \
      "$runs" "$repeated" "$STOLEN_PERCENT" "$disturbed" \
      "$( ((repeats == 0)) || echo " $((repeats + 1)) times in a row")"
  fi
}

# With --write: draws docs/benchmarks/$1.svg from the lines of standard input, "point value value": $2 title,
# $3 label of the points, "${@:4}" pairs of a label and an axis (1: rate, left; 2: memory, right).
plot() {
  local name=$1 title=$2 points=$3 column=2 curves=()
  shift 3
  [[ $write == yes ]] || return 0
  command -v gnuplot >/dev/null || { say "no plot $name: gnuplot is not here"; return 0; }
  cat >"$scratch/plot"
  while [[ $# -gt 0 ]]; do
    curves+=("'$scratch/plot' using 0:$column:xtic(1) axes x1y$2 with linespoints lw 2 pt 7 title '$1'")
    column=$((column + 1))
    shift 2
  done
  mkdir -p docs/benchmarks
  gnuplot <<PLOT
set terminal svg size 640,360 font 'sans-serif,12' background rgb 'white'
set output 'docs/benchmarks/$name.svg'
set title '$title'
set xlabel '$points'
set ylabel 'thousand events/s'
set y2label 'MiB'
set yrange [0:*]
set y2range [0:*]
set ytics nomirror
set y2tics
set grid ytics
set key below
plot $(IFS=,; echo "${curves[*]}")
PLOT
}
