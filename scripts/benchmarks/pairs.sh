# shellcheck shell=bash
# Variables of the script that sources this, and of its other files.
# shellcheck disable=SC2034,SC2154
# The section "pairs": an ordinary pass-through, the most that can be done, and logintide, in turn over one topic. Sourced.

pairs() {
  local round
  start_broker
  say "pairs: producing $events events"
  fill in 8 "$events"
  for ((round = 0; round <= rounds; round++)); do
    say "pairs: round $round of $rounds$( ((round > 0)) || echo ' (warms up, does not count)')"
    copy pairs copy - "$round" "$events" "$loadgen" in
    process pairs at-least-once - "$round" "$events" in
    [[ $quick == yes ]] || others_without_transactions
    copy pairs copy-transactions - "$round" "$events" "$loadgen" in --transactions
    process pairs exactly-once - "$round" "$events" in
    [[ $quick == yes ]] || others_with_transactions
  done
  stop_broker
  {
    conditions
    printf '\n%s events of loadgen, about 215 bytes, in 8 partitions, no compression, acks=all, default settings. %s\n' \
      "$events" "Minimum / median / maximum of $rounds rounds (\`scripts/bench$([[ $build == dist ]] || echo ' --released') pairs --rounds $rounds\`)."
    awk "$RESULTS_AWK"'
      function row(name, kind, i) {
        if (!(("pairs", kind, "-") in rounds)) return
        printf "| %s |", name
        split("steady rate own broker peak", whats, " ")
        for (i = 1; i <= 5; i++)
          printf " %s |", spread("pairs", kind, "", "-", whats[i], i == 1 || i == 2 || i == 5 ? "%.0f" : "%.2f")
        print ""
      }
      function ratio(name, a, b, what) {
        if (!(("pairs", a, "-") in rounds && ("pairs", b, "-") in rounds)) return
        printf "| %s | %s |\n", name, spread("pairs", a, b, "-", what, "%.2f")
      }
      END {
        print "\n| | steady rate, thousand events/s | whole run, thousand events/s | own CPU, µs/event | broker CPU, µs/event | peak memory, MiB |"
        print "|---|---|---|---|---|---|"
        row("`loadgen copy`", "copy")
        row("`loadgen copy` with mimalloc", "copy-mimalloc")
        row("logintide, at-least-once", "at-least-once")
        row("upper bound: nothing done to records", "bound")
        row("upper bound: simd-json tapes them", "bound-tape")
        row("`loadgen copy --transactions`", "copy-transactions")
        row("`loadgen copy --transactions` with mimalloc", "copy-transactions-mimalloc")
        row("logintide, exactly-once", "exactly-once")
        row("upper bound: transactions, and simd-json tapes", "bound-transactions-tape")
        print "\n| ratio, round by round | min / median / max |"
        print "|---|---|"
        ratio("at-least-once : copy, steady rate", "at-least-once", "copy", "steady")
        ratio("at-least-once : copy, whole run", "at-least-once", "copy", "rate")
        ratio("at-least-once : copy, own CPU", "at-least-once", "copy", "own")
        ratio("at-least-once : copy with mimalloc, steady rate", "at-least-once", "copy-mimalloc", "steady")
        ratio("at-least-once : copy with mimalloc, own CPU", "at-least-once", "copy-mimalloc", "own")
        ratio("upper bound with tapes : copy, steady rate", "bound-tape", "copy", "steady")
        ratio("upper bound with tapes : copy, whole run", "bound-tape", "copy", "rate")
        ratio("upper bound with tapes : copy, own CPU", "bound-tape", "copy", "own")
        ratio("exactly-once : copy with transactions, steady rate", "exactly-once", "copy-transactions", "steady")
        ratio("exactly-once : copy with transactions, whole run", "exactly-once", "copy-transactions", "rate")
        ratio("exactly-once : copy with transactions and mimalloc, steady rate", "exactly-once", "copy-transactions-mimalloc", "steady")
        ratio("upper bound with tapes : copy, both with transactions, steady rate", "bound-transactions-tape", "copy-transactions", "steady")
        ratio("upper bound with tapes : copy, both with transactions, whole run", "bound-transactions-tape", "copy-transactions", "rate")
        ratio("exactly-once : at-least-once, own CPU (500 ms epochs)", "exactly-once", "at-least-once", "own")
      }' "$scratch/results"
  } | publish pairs
}

# What a round of `pairs` has beside an ordinary copy and logintide.
others_without_transactions() {
  bound pairs bound - "$round" "$events" in
  bound pairs bound-tape - "$round" "$events" in --tape
  copy pairs copy-mimalloc - "$round" "$events" "$loadgen_mimalloc" in
}

others_with_transactions() {
  bound pairs bound-transactions-tape - "$round" "$events" in --transactions --tape
  copy pairs copy-transactions-mimalloc - "$round" "$events" "$loadgen_mimalloc" in --transactions
}
