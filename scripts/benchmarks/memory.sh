# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "memory": resident memory with a large backlog, over time. Sourced.

# Bytes per second that the slow broker takes from a producer: about 200 000 enriched events.
readonly SLOW_BROKER_BYTES=70000000

memory() {
  start_broker
  say "memory: producing $backlog events"
  fill in 8 "$backlog"
  work_off exactly-once 'exactly-once' exactly-once
  work_off at-least-once 'at-least-once' at-least-once
  # Then everything that may wait for the producer does.
  scripts/kafka-local exec --dir "$broker_dir" kafka.admin.ConfigCommand \
    --bootstrap-server "$KAFKA_BROKERS" --alter --entity-type clients --entity-default \
    --add-config "producer_byte_rate=$SLOW_BROKER_BYTES" >/dev/null
  work_off slow-exactly-once 'exactly-once, slow broker' exactly-once
  work_off slow-at-least-once 'at-least-once, slow broker' at-least-once
  stop_broker
  {
    conditions
    printf '\nA backlog of %d events, `--memory-budget 256MiB`, one run each; resident MiB, the means without the first two seconds. The slow broker is held to %d MB/s per producer by a quota.\n\n' \
      "$backlog" $((SLOW_BROKER_BYTES / 1000000))
    printf '| | worked off in, s | at most | mean of the first half | of the second |\n|---|---|---|---|---|\n'
    cat "$scratch/memory-rows"
  } | publish memory
}

# Measures one run: $1 its name, $2 its title, $3 the delivery mode.
work_off() {
  local run deadline resident line name
  say "memory: $2"
  "$logintide" run --brokers "$KAFKA_BROKERS" --group-id "memory-$1" --input-topic in \
    --processed-topic out-processed --aggregated-topic out-aggregated --dead-letter-topic out-dlq \
    --late-topic out-late --create-topics --http off --state-dir "$scratch/state/memory-$1" \
    --exit-at-end --delivery "$3" >"$scratch/run" 2>&1 &
  run=$!
  children=("$run")
  deadline=$((SECONDS + 300))
  : >"$scratch/resident"
  while read_ticks "/proc/$run" && [[ $state != Z ]]; do
    ((SECONDS < deadline)) || die "the backlog was not worked off in 300 s"
    resident=
    {
      while read -r name line; do
        if [[ $name == VmRSS: ]]; then resident=${line%% *}; fi
      done <"/proc/$run/status"
    } 2>/dev/null || true
    [[ -z $resident ]] || echo "$EPOCHREALTIME $resident" >>"$scratch/resident"
    pause 0.1
  done
  wait "$run" || die "logintide failed: $(tail -n 5 "$scratch/run")"
  children=()
  drop_topics 'out-.*'
  awk -v title="$2" '
    NR == 1 { began = $1 }
    { at[NR] = $1 - began; mib[NR] = $2 / 1024; if (mib[NR] > most) most = mib[NR] }
    END {
      for (i = 1; i <= NR; i++) {
        half = at[i] < at[NR] / 2 ? 1 : 2
        if (at[i] > 2) { sum[half] += mib[i]; n[half]++ }
      }
      printf "| %s | %.0f | %.0f | %.0f | %.0f |\n", title, at[NR], most, sum[1] / n[1], sum[2] / n[2]
    }' "$scratch/resident" >>"$scratch/memory-rows"
}
