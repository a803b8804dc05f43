# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "growth": rate and memory against partitions, event size and users, and single
# figures for unusual settings. Sourced.

# Bytes that one filled topic may take on disk.
readonly TOPIC_BYTES=1500000000

growth() {
  local partitions size users count shape
  start_broker
  fill warm 8 "$events"
  process growth at-least-once warm 0 "$events" warm

  : >"$scratch/plot-partitions"
  for partitions in 1 4 16 64 256; do
    point partitions "$partitions" "$partitions" "$events" -- --
  done
  : >"$scratch/plot-size"
  for size in 100 215 1024 4096 16384; do
    count=$((TOPIC_BYTES / size < events ? TOPIC_BYTES / size : events))
    case $size in
      100) shape=(--required-only --event-size 100) ;;
      215) shape=() ;; # what the seven fields take
      *) shape=(--event-size "$size") ;;
    esac
    point size "$size" 8 "$count" "${shape[@]}" -- --
  done
  : >"$scratch/plot-users"
  for users in 1000 10000 100000 1000000 10000000; do
    point users "$users" 8 "$events" --users "$users" --zipf 0 -- --
  done

  point other plain 8 "$events" -- --
  point other 1_000_locales 8 "$events" --locales 1000 -- --
  point other window_1s 8 "$events" -- --window 1s --
  point other window_1h 8 "$events" -- --window 1h --
  point other late_20_percent 8 "$events" --share-late 0.2 -- --
  point other slow_path_20_percent 8 "$events" --share-odd 0.2 -- --
  stop_broker
  plot partitions 'Rate and memory against partitions' 'partitions of the input' \
    'rate' 1 'peak memory' 2 <"$scratch/plot-partitions"
  plot event-size 'Rate and memory against the size of an event' 'bytes per event' \
    'rate' 1 'peak memory' 2 <"$scratch/plot-size"
  plot users 'Rate and memory against distinct users' 'users' \
    'rate' 1 'peak memory' 2 <"$scratch/plot-users"
  {
    conditions
    printf '\n%s\n' "At most $events events, at-least-once; minimum / median / maximum of $rounds runs; the outputs have 8 partitions, those of the input where partitions vary."
    point_table growth at-least-once
  } | publish growth
}

# Measures one point, in each round anew: $1 what varies, $2 its value, $3 partitions, $4 events;
# flags of loadgen produce up to --, flags of logintide up to the next --.
point() {
  local what=$1 value=$2 partitions=$3 count=$4 produce=() round
  shift 4
  while [[ $1 != -- ]]; do
    produce+=("$1")
    shift
  done
  shift
  set -- "${@:1:$(($# - 1))}"
  say "${section:-growth}: $what $value"
  fill in "$partitions" "$count" "${produce[@]}"
  for ((round = 1; round <= rounds; round++)); do
    process "${section:-growth}" at-least-once "$what:$value" "$round" "$count" in "$@"
  done
  drop_topics in
  tail -n "$rounds" "$scratch/results" | awk -v value="$value" "$THREE_AWK"'
    { rate[NR] = $10 / 1000; peak[NR] = $9 / 1024 }
    END {
      split(three(rate, NR, "%f"), rates, " / "); split(three(peak, NR, "%f"), peaks, " / ")
      print value, rates[2], peaks[2]
    }' >>"$scratch/plot-$what"
}

# The results of section $1, kind $2, as a table, a line for each point.
point_table() {
  awk -v section="$1" -v kind="$2" "$RESULTS_AWK"'
    $1 == section && $2 == kind && $4 > 0 && !seen[$3]++ { order[++points] = $3; count[$3] = $5 }
    END {
      print "\n| | events | steady rate, thousand/s | own CPU, µs/event | broker CPU, µs/event | peak memory, MiB |"
      print "|---|---|---|---|---|---|"
      for (p = 1; p <= points; p++) {
        name = order[p]
        label = name; sub(/^other:/, "", label); gsub(/[:_]/, " ", label)
        printf "| %s | %d | %s | %s | %s | %s |\n", label, count[name],
          spread(section, kind, "", name, "steady", "%.0f"), spread(section, kind, "", name, "own", "%.2f"),
          spread(section, kind, "", name, "broker", "%.2f"), spread(section, kind, "", name, "peak", "%.0f")
      }
    }' "$scratch/results"
}
