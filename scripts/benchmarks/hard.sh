# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "hard": the cases that must stay fast. Sourced.

hard() {
  local section=hard
  start_broker
  fill warm 8 "$events"
  process hard at-least-once warm 0 "$events" warm
  : >"$scratch/plot-other"
  point other plain 8 "$events" -- --
  point other one_user 8 "$events" --users 1 -- --
  point other all_slow_path 8 "$events" --share-odd 1 -- --
  watched=out-dlq point other all_dead_letters 8 "$events" --share-poison 1 -- --
  point other 64_KiB_events 8 20000 --event-size 65000 -- --
  point other one_partition_ten_times_as_busy 8 "$events" --partition-shares 10,1 -- --
  point other plain_again 8 "$events" -- --
  garbage
  behind
  stop_broker
  {
    conditions
    printf '\n%s\n' "At-least-once, minimum / median / maximum of $rounds runs, $events events where nothing else is said. Unusual JSON (slow path) has about 1 100 bytes, dead letters 3 000 on average: one of 23 kinds is above 64 KiB."
    point_table hard at-least-once
    printf '\n'
    cat "$scratch/garbage" "$scratch/behind"
  } | publish hard
}

# A flood of garbage, and good events behind it: in one partition, so that all of them are behind it.
# So many dead letters that they take longer than the good ones, and not so many gigabytes that the
# broker has to find new pages for what follows, which makes it slower whoever sends it.
garbage() {
  local half=$((events / 2)) dead=$((events / 6)) round name
  say "hard: good events with and without garbage before them"
  fill behind-garbage 1 "$dead" --share-poison 1
  for name in behind-garbage without-garbage; do fill "$name" 1 "$half"; done
  for ((round = 1; round <= rounds; round++)); do
    # What grows are the good ones: they come only once the garbage is through.
    for name in behind-garbage without-garbage; do
      process garbage at-least-once "$name" "$round" "$half" "$name"
    done
  done
  drop_topics '.*-garbage'
  awk -v half="$half" -v dead="$dead" "$RESULTS_AWK"'
    function rate(point) { return spread("garbage", "at-least-once", "", point, "steady", "%.0f") }
    END {
      printf "Behind %d dead letters in one partition, %d good events went through at %s thousand/s (between 10 and 90 %% of them); without any before them at %s.\n",
        dead, half, rate("behind-garbage"), rate("without-garbage")
    }' "$scratch/results" >"$scratch/garbage"
}

# A backlog, and 20 000 events per second on top of it while it is worked off.
behind() {
  local run produce began caught=0 total lag took
  say "hard: a backlog of $events events, and 20 000 a second on top"
  fill in 8 "$events"
  : >"$scratch/run"
  LOGINTIDE_LOG=info,librdkafka=off "$logintide" run --brokers "$KAFKA_BROKERS" \
    --group-id hard-behind --input-topic in --processed-topic out-processed \
    --aggregated-topic out-aggregated --dead-letter-topic out-dlq --late-topic out-late \
    --create-topics --http off --state-dir "$scratch/state/hard-behind" \
    --delivery at-least-once --stats-interval 1s --log-format json >"$scratch/run" 2>&1 &
  run=$!
  children=("$run")
  "$loadgen" produce --topic in --rate 20000 --duration 30s --run-length 200 --seed 2 \
    >"$scratch/out" 2>&1 &
  produce=$!
  children+=("$produce")
  began=$SECONDS
  # Caught up: less than a second's worth behind.
  until [[ $caught -eq 1 ]]; do
    ((SECONDS - began < 60)) || die "the backlog was not worked off in 60 s"
    kill -0 "$run" 2>/dev/null || die "logintide ended: $(tail -n 5 "$scratch/run")"
    pause 0.1
    lag=$(sed -n 's/.*"message":"statistics".*"lag":\([0-9]*\).*/\1/p' "$scratch/run" | tail -n 1)
    total=$(sed -n 's/.*"message":"statistics","events_per_second":[0-9]*,"events":\([0-9]*\).*/\1/p' \
      "$scratch/run" | awk '{ n += $1 } END { print n + 0 }')
    if [[ -n $lag && $lag -lt 20000 && $total -ge $events ]]; then caught=1; fi
  done
  took=$(awk 'BEGIN { FS = "\"timestamp\":\"[^T]*T|Z\"" }
    function s(t,   p) { split(t, p, ":"); return (p[1] * 60 + p[2]) * 60 + p[3] }
    /"message":"reading"/ { from = s($2) } { to = s($2) } END { printf "%.1f", to - from }' "$scratch/run")
  echo "Started $events events behind while 20 000 a second came in: less than a second behind after $took s." \
    >"$scratch/behind"
  wait "$produce" || die "loadgen produce failed: $(tail -n 5 "$scratch/out")"
  kill -TERM "$run"
  wait "$run" || die "logintide failed: $(tail -n 5 "$scratch/run")"
  children=()
  drop_topics 'out-.*|in'
}
