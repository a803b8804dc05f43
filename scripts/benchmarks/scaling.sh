# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "scaling": what each thread costs, and the rate on one core and on two, with more
# workers, with more brokers. Sourced.

scaling() {
  local round nodes workers
  start_broker
  say "scaling: producing $events events"
  fill in 8 "$events"
  process scaling at-least-once warm 0 "$events" in
  for ((round = 1; round <= rounds; round++)); do
    say "scaling: round $round of $rounds"
    process scaling at-least-once two_cores "$round" "$events" in
    for workers in 2 4; do
      process scaling at-least-once "${workers}_workers" "$round" "$events" in --workers "$workers"
    done
    pinned=(taskset -c 0)
    process scaling at-least-once one_core "$round" "$events" in
    taskset -a -p -c 0 "${broker_pids[0]}" >/dev/null
    process scaling at-least-once shared_core "$round" "$events" in
    taskset -a -p -c "0-$(($(nproc) - 1))" "${broker_pids[0]}" >/dev/null
    pinned=()
  done
  for nodes in 2 3; do
    start_broker "$nodes"
    # One replica, so that the brokers do not copy from each other as well.
    fill in 8 "$events" --replication 1
    for ((round = 0; round <= rounds; round++)); do
      process scaling at-least-once "${nodes}_nodes" "$round" "$events" in
    done
  done
  stop_broker
  {
    conditions
    printf '\n%s events in 8 partitions, at-least-once; minimum / median / maximum of %s rounds. Several brokers have the small heaps of `scripts/kafka-local`.\n' "$events" "$rounds"
    awk "$RESULTS_AWK"'
      function row(name, point) {
        if (!(("scaling", "at-least-once", point) in rounds)) return
        printf "| %s | %s | %s | %s |\n", name, spread("scaling", "at-least-once", "", point, "steady", "%.0f"),
          spread("scaling", "at-least-once", "", point, "own", "%.2f"), spread("scaling", "at-least-once", "", point, "broker", "%.2f")
      }
      END {
        print "\n| | steady rate, thousand events/s | own CPU, µs/event | brokers, µs/event |"
        print "|---|---|---|---|"
        row("two cores, broker on both", "two_cores")
        row("the same, `--workers 2`", "2_workers")
        row("the same, `--workers 4`", "4_workers")
        row("logintide on one core, broker on both", "one_core")
        row("both on the same one core", "shared_core")
        row("two brokers", "2_nodes")
        row("three brokers", "3_nodes")
      }' "$scratch/results"
    # Per thread: the medians; of the clients of librdkafka the two busy ones, the producer first.
    awk -v events="$events" "$THREE_AWK"'
      $1 == "scaling" && $3 == "two_cores" && $4 > 0 {
        if ($4 > rounds) rounds = $4
        if ($5 == "rdk:broker") { n = ++brokers[$4]; busy[$4, n] = $6; next }
        if ($5 !~ /^(source|worker|sink|store)$/) $5 = "all others"
        own[$4, $5] += $6
      }
      END {
        for (r = 1; r <= rounds; r++) {
          first = second = rest = 0
          for (i = 1; i <= brokers[r]; i++) {
            t = busy[r, i]
            if (t > first) { rest += second; second = first; first = t }
            else if (t > second) { rest += second; second = t }
            else rest += t
          }
          own[r, "producer"] = first; own[r, "consumer"] = second; own[r, "all others"] += rest
        }
        print "\n| thread | CPU, µs/event |"
        print "|---|---|"
        split("source worker sink store producer consumer", names, " ")
        names[7] = "all others"
        label["source"] = "source"; label["worker"] = "worker"; label["sink"] = "sink"; label["store"] = "store"
        label["producer"] = "librdkafka, producer of a broker"; label["consumer"] = "librdkafka, consumer of a broker"
        label["all others"] = "all others"
        for (k = 1; k <= 7; k++) {
          n = 0
          for (r = 1; r <= rounds; r++) list[++n] = own[r, names[k]] * 1000 / events
          printf "| %s | %s |\n", label[names[k]], three(list, n, "%.2f")
        }
      }' "$scratch/threads"
  } | publish scaling
}
