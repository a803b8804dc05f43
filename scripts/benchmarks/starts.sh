# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "starts": what a start takes beyond the group join, fresh and with many open windows.
# Sourced.

readonly START_PARTITIONS=64 START_WINDOWS=50

starts() {
  local round
  start_broker
  say "starts: $START_PARTITIONS partitions, $START_WINDOWS open windows"
  # 50 windows of ten seconds in every partition, and none of them over.
  fill in "$START_PARTITIONS" 1000000 --run-length 10 \
    --events-per-second-of-event-time $((1000000 / (START_WINDOWS * 10)))
  # The first warms up: a broker that has just started also makes its topic of transactions.
  for ((round = 0; round <= rounds; round++)); do
    measured "$round" start_both
    ((round > 0)) || : >"$scratch/starts"
  done
  stop_broker
  {
    conditions
    printf '\n%s %s %s\n' "$START_PARTITIONS partitions, exactly-once, epochs of 500 ms." \
      "Recovery: killed by SIGKILL with $START_WINDOWS open windows in every partition, 100 000 new events." \
      "Milliseconds without the time that the group took to assign partitions; minimum / median / maximum of $rounds starts."
    awk "$COLUMNS_AWK"'
      END {
        print "\n| | group join (left out) | start to first record | to first committed output | open windows |"
        print "|---|---|---|---|---|"
        split("fresh recovery", kinds, " ")
        for (k = 1; k <= 2; k++) printf "| %s | %s | %s | %s | %s |\n", kinds[k], columns(kinds[k], 2, "%.0f"), \
          columns(kinds[k], 3, "%.0f"), columns(kinds[k], 4, "%.0f"), columns(kinds[k], 5, "%.0f")
      }' "$scratch/starts"
  } | publish starts
}

# A fresh start and one after a kill, in a group and a folder of their own.
start_both() {
  start_until fresh "the first output is committed"
  # Killed with its windows open; then more events come.
  catch_up
  fill in "$START_PARTITIONS" 100000 --run-length 10 --start-time "$(date +%s)"
  start_until recovery "the first output is committed"
}

# Starts logintide, its log in $scratch/run.
start_logintide() {
  # What the run before it wrote would be taken for this one's.
  : >"$scratch/run"
  LOGINTIDE_LOG=info,logintide=debug,librdkafka=off "$logintide" run --brokers "$KAFKA_BROKERS" \
    --group-id "starts-$attempt" --instance-id "starts-$attempt" --input-topic in \
    --processed-topic out-processed --aggregated-topic out-aggregated \
    --dead-letter-topic out-dlq --late-topic out-late --create-topics --http off \
    --grace 10m --allowed-lateness 15m --state-dir "$scratch/state/starts-$attempt" --delivery exactly-once \
    --stats-interval 1s --log-format json >"$scratch/run" 2>&1 &
  run=$!
  children=("$run")
}

wait_for_line() {
  local deadline=$((SECONDS + 60))
  until grep -q "$1" "$scratch/run"; do
    if ((SECONDS >= deadline)) || ! kill -0 "$run" 2>/dev/null; then
      die "no line '$1' in: $(tail -n 5 "$scratch/run")"
    fi
    pause 0.02
  done
}

# Reads everything, with all windows open, and is killed.
catch_up() {
  local run
  start_logintide
  wait_for_line '"message":"statistics".*"events":[1-9].*"lag":0,'
  kill -KILL "$run"
  wait "$run" 2>/dev/null || true
  children=()
}

# Milliseconds of the day at which the line with the message $1 was written.
line_ms() {
  grep -m 1 "\"message\":\"$1\"" "$scratch/run" \
    | sed -n 's/.*"timestamp":"[^T]*T\([0-9]*\):\([0-9]*\):\([0-9.]*\)Z".*/\1 \2 \3/p' \
    | awk '{ printf "%.3f", (($1 * 60 + $2) * 60 + $3) * 1000 }'
}

# Starts, waits for the line $2, stops; adds "$1 join_ms record_ms commit_ms windows".
start_until() {
  local kind=$1 began run join record commit windows
  began=$(date -u '+%H %M %S.%N' | awk '{ printf "%.3f", (($1 * 60 + $2) * 60 + $3) * 1000 }')
  start_logintide
  wait_for_line "$2"
  windows=$(sed -n 's/.*"message":"reading".*"open_windows":\([0-9]*\).*/\1/p' "$scratch/run" | head -n 1)
  join=$(awk -v a="$(line_ms 'joining the group')" -v b="$(line_ms 'partitions assigned')" \
    'BEGIN { print b - a }')
  record=$(line_ms 'the first records are read')
  commit=$(line_ms "$2")
  awk -v kind="$kind" -v began="$began" -v join="$join" -v record="$record" -v commit="$commit" \
    -v windows="${windows:-0}" \
    'BEGIN { print kind, join, record - began - join, commit - began - join, windows }' \
    >>"$scratch/starts"
  if [[ $kind == fresh ]]; then
    # As the next start finds it: killed, so that its place in the group stays.
    kill -KILL "$run"
  else
    kill -TERM "$run"
  fi
  wait "$run" 2>/dev/null || true
  children=()
}
