# What the scripts in this folder share: where the tree is, where cargo is, how a sentence is printed.
# Sourced by bash, never run. Not here: what is installed (setup) and what is run (demo, test, run).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# rustup's own place, also when the shell has not read ~/.cargo/env yet or HOME is empty.
for bin in "${CARGO_HOME:-}/bin" "${HOME:-}/.cargo/bin"; do
    case ":$PATH:" in
        *":$bin:"*) ;;
        *) if [ -x "$bin/cargo" ]; then PATH=$bin:$PATH; fi ;;
    esac
done
export PATH

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$*"; }
# die SENTENCE [STATUS]
die() { printf '%s\n' "$1" >&2; exit "${2:-1}"; }
# The folder that cargo builds into.
target_dir() { printf '%s' "${CARGO_TARGET_DIR:-$ROOT/target}"; }
# seconds N -> "3 min 07 s"
seconds() { if [ "$1" -ge 60 ]; then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi; }
