# shellcheck shell=bash
# What the scripts share. Sourced, not run.

# The Java that Kafka 4 needs at least, and the Debian package that has it.
readonly JAVA_MIN=17
readonly JAVA_PACKAGE=openjdk-17-jre-headless

say() { printf '%s\n' "$*" >&2; }
# A shell that nobody logged in to has not read what rustup added to the profile.
command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

# Exit codes: 1 it failed, 2 the caller has to change or install something.
die() { say "${0##*/}: $*"; exit 1; }
misuse() { say "${0##*/}: $*"; exit 2; }

# Prints the path of a Java that is new enough; fails when there is none.
find_java() {
  local candidate major
  for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)"; do
    [[ -n $candidate && -x $candidate ]] || continue
    # "17.0.15" → 17, "21" → 21; "1.8.0" → 1, which is rightly too old.
    major=$("$candidate" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    if [[ -n $major && $major -ge $JAVA_MIN ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# ---- what must be installed: each prints "package: what for", one line per missing package -----

missing_for_build() {
  command -v cc >/dev/null && command -v g++ >/dev/null \
    || echo "g++: compiles librdkafka, OpenSSL, zstd and mimalloc"
  command -v make >/dev/null || echo "make: builds librdkafka and OpenSSL"
  # Debian's minimal perl lacks the modules that OpenSSL's configuration uses.
  perl -MFindBin -MFile::Compare -MIPC::Cmd -e 1 2>/dev/null \
    || echo "perl: configures OpenSSL"
  command -v cargo >/dev/null || command -v curl >/dev/null || echo "curl: fetches Rust"
  [[ -s /etc/ssl/certs/ca-certificates.crt || -n ${SSL_CERT_FILE:-} ]] \
    || echo "ca-certificates: cargo and Maven download over TLS"
}

missing_for_kafka() {
  find_java >/dev/null || echo "$JAVA_PACKAGE: runs the Kafka broker of the tests"
  [[ -n ${KAFKA_HOME:-} ]] || command -v mvn >/dev/null || echo "maven: fetches that broker"
}

# The browser that looks at the dashboard. Only its tests are left out without it.
missing_for_browser() {
  command -v chromium >/dev/null || echo "chromium: shows the dashboard to its tests"
  command -v chromedriver >/dev/null || echo "chromium-driver: drives that browser"
  # A page that has no font to show its text in has no width either.
  [[ -n $(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null) ]] \
    || echo "fonts-dejavu-core: the browser's font"
}

missing_for_bench() {
  command -v valgrind >/dev/null || echo "valgrind: counts instructions"
}

# Prints what is wrong with Rust and the command that mends it; nothing when all is well. $1: the
# project's folder, which names its toolchain.
missing_rust() {
  local wanted have
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$1/rust-toolchain.toml")
  if ! command -v cargo >/dev/null; then
    echo "Rust: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs" \
      "| sh -s -- -y --default-toolchain $wanted -c clippy -c rustfmt"
  elif ! have=$(cd "$1" && rustc --version 2>/dev/null | cut -d ' ' -f 2) || [[ -z $have ]] \
    || ! (cd "$1" && cargo fmt --version && cargo clippy --version) >/dev/null 2>&1; then
    echo "Rust $wanted: rustup toolchain install $wanted -c clippy -c rustfmt"
  elif [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) != "$wanted" ]]; then
    echo "Rust $wanted (there is $have): install rustup, https://rustup.rs, then" \
      "rustup toolchain install $wanted -c clippy -c rustfmt"
  fi
}

# ---- ports -------------------------------------------------------------------------------------

# Does something accept connections on $2 (127.0.0.1) port $1?
# shellcheck disable=SC2016 # for the inner shell to expand
port_taken() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' _ "${2:-127.0.0.1}" "$1" 2>/dev/null; }

# Prints the first port at or after $1 that nothing listens on.
free_port() {
  local port
  for ((port = $1; port < $1 + 200 && port < 65536; port++)); do
    if ! port_taken "$port"; then
      printf '%s\n' "$port"
      return 0
    fi
  done
  return 1
}

# True when the broker on 127.0.0.1:$1 answers a Metadata request (version 4, no topics) with at
# least $2 (1) live brokers. An open socket is not enough: it opens before the broker may be used.
kafka_answers() {
  local reply
  # Answer: size, correlation id, throttle time, number of brokers; four bytes each.
  # shellcheck disable=SC2016 # for the inner shell to expand
  reply=$(timeout 3 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf "\0\0\0\17\0\3\0\4\0\0\0\1\377\377\0\0\0\0\0" >&3
    head -c 16 <&3 | od -An -v -tx1 | tr -d " \n"' _ "$1" 2>/dev/null) || return 1
  [[ ${reply:8:8} == 00000001 && ${reply:24:8} =~ ^[0-9a-f]{8}$ ]] \
    && ((16#${reply:24:8} >= ${2:-1}))
}
