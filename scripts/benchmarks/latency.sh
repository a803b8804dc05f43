# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "latency": how long events take through it at a steady rate. Sourced.

readonly LATENCY_RATE=20000

latency() {
  local round log_lines
  start_broker
  say "latency: $LATENCY_RATE events per second"
  # A broker that has just started is slower than one that has worked.
  fill warm 8 1000000
  process latency at-least-once warm 0 1000000 warm
  log_lines=$(wc -l <"$broker_dir/broker.log")
  for ((round = 1; round <= rounds; round++)); do
    calm live none
    calm live copy
    calm live at-least-once --delivery at-least-once
    calm live exactly-once --delivery exactly-once
  done
  tail -n "+$((log_lines + 1))" "$broker_dir/broker.log" >"$scratch/broker-log"
  stop_broker
  {
    conditions
    printf '\n%s %s %s\n\n' "$LATENCY_RATE events/s in open loop, one partition at a time, for ${latency_seconds} s:" \
      "from an event's scheduled send time to a read_committed reader, the first $latency_skip seconds left out; \`--commit-interval 100ms\`." \
      "Minimum / median / maximum of $rounds rounds, in turn."
    echo '| | p50, ms | p90 | p99 | p99.9 |'
    echo '|---|---|---|---|---|'
    awk "$COLUMNS_AWK"'
      END {
        label["none"] = "nothing between: the input read as it comes"
        label["copy"] = "an ordinary copy"
        split("none copy at-least-once exactly-once", kinds, " ")
        for (k = 1; k <= 4; k++) {
          printf "| %s", kinds[k] in label ? label[kinds[k]] : "logintide, " kinds[k]
          for (c = 2; c <= 5; c++) printf " | %s", columns(kinds[k], c, "%.1f")
          print " |"
        }
      }' "$scratch/latency"
    # Lines "[12.345s] GC(6) Pause Young (Normal) (G1 Evacuation Pause) 448M->187M(512M) 20.1ms".
    sed -n 's/^\[\([0-9.]*\)s\] GC([0-9]*) Pause.* \([0-9.]*\)ms$/pause \2 \1/p' "$scratch/broker-log" \
      | awk "$COLUMNS_AWK"'
        { sum += $2; last = $3; if (NR == 1) first = $3 }
        END {
          if (NR > 1) printf "\nIn that time the broker'"'"'s garbage collector stopped it %d times, for %s ms, so for %.1f %% of the time.\n",
            NR, columns("pause", 2, "%.0f"), sum / (last - first) / 10
        }'
  } | publish latency
}

# Measures a live run of kind $1 (none, copy, or logintide with the flags "${@:2}").
live() {
  local name=$1 run='' read_from=out produce numbers
  shift
  # What the run before it wrote would be taken for this one's.
  : >"$scratch/run"
  scripts/kafka-local topics --dir "$broker_dir" create "live-$name" 8 >/dev/null
  scripts/kafka-local topics --dir "$broker_dir" create "out-$name" 8 >/dev/null
  if [[ $name == none ]]; then
    read_from=live
  elif [[ $name == copy ]]; then
    "$loadgen" copy --from "live-$name" --to "out-$name" --group-id "live-copy-$attempt" \
      --commit-interval 100ms \
      >"$scratch/run" 2>&1 &
    run=$!
    children+=("$run")
    # It says nothing of its group; the first seconds do not count.
  else
    "$logintide" run --brokers "$KAFKA_BROKERS" --group-id "live-$name-$attempt" \
      --input-topic "live-$name" --processed-topic "out-$name" \
      --aggregated-topic "out-aggregated-$name" --dead-letter-topic "out-dlq-$name" \
      --late-topic "out-late-$name" --create-topics --http off \
      --state-dir "$scratch/state/live-$name-$attempt" --commit-interval 100ms "$@" >"$scratch/run" 2>&1 &
    run=$!
    children+=("$run")
    until grep -q reading "$scratch/run"; do
      kill -0 "$run" 2>/dev/null || die "$name ended: $(tail -n 5 "$scratch/run")"
      pause 0.1
    done
  fi
  "$loadgen" produce --topic "live-$name" --rate "$LATENCY_RATE" \
    --count $((LATENCY_RATE * latency_seconds)) --run-length 200 --seed 2 >"$scratch/out" 2>&1 &
  produce=$!
  children+=("$produce")
  "$loadgen" latency --topic "${read_from}-$name" --duration "${latency_seconds}s" --skip "${latency_skip}s" \
    >"$scratch/live"
  wait "$produce" || die "loadgen produce failed: $(tail -n 5 "$scratch/out")"
  if [[ -n $run ]]; then
    kill -TERM "$run"
    wait "$run" || die "$name failed: $(tail -n 5 "$scratch/run")"
  fi
  children=()
  numbers=$(sed -n 's/^[0-9]* events.*p50 \([0-9.]*\) ms, p90 \([0-9.]*\) ms, p99 \([0-9.]*\) ms, p99.9 \([0-9.]*\) ms.*/\1 \2 \3 \4/p' \
    "$scratch/live")
  [[ -n $numbers ]] || die "loadgen latency said: $(<"$scratch/live")"
  echo "$name $numbers" >>"$scratch/latency"
  drop_topics "out-.*|live-.*"
}
