# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "memory": resident memory with a large backlog, over time. Sourced.

memory() {
  local run deadline resident line name
  start_broker
  say "memory: producing $backlog events"
  fill in 8 "$backlog"
  : >"$scratch/plot-memory"
  "$logintide" run --brokers "$KAFKA_BROKERS" --group-id memory --input-topic in \
    --processed-topic out-processed --aggregated-topic out-aggregated --dead-letter-topic out-dlq \
    --late-topic out-late --create-topics --http off --state-dir "$scratch/state/memory" \
    --exit-at-end --delivery exactly-once >"$scratch/run" 2>&1 &
  run=$!
  children=("$run")
  deadline=$((SECONDS + 300))
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
  stop_broker
  {
    conditions
    awk -v backlog="$backlog" '
      NR == 1 { began = $1 }
      { at[NR] = $1 - began; mib[NR] = $2 / 1024; if (mib[NR] > most) most = mib[NR] }
      END {
        for (i = 1; i <= NR; i++) {
          half = at[i] < at[NR] / 2 ? 1 : 2
          # The first two seconds are spent on filling up.
          if (at[i] > 2) { sum[half] += mib[i]; n[half]++ }
        }
        printf "\nA backlog of %d events, exactly-once, `--memory-budget 256MiB`: worked off in %.0f s, resident at most %.0f MiB; on average %.0f MiB in the first half of that time and %.0f MiB in the second.\n",
          backlog, at[NR], most, sum[1] / n[1], sum[2] / n[2]
      }' "$scratch/resident"
  } | publish memory
}
