#!/bin/sh
# Make .venv as uv.lock says, on a machine that has a Python and nothing else: bootstrap.sh UV_VERSION [PYTHON]
set -eu
uv_version=$1
tools=.tools
# Trust whom the machine trusts: a company's proxy has a certificate of its own. The older uv calls it by the second name.
export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1

# The Python that the person names, else the first that is new enough.
find_python() {
    seen=""
    for candidate in ${1:-python3.13 python3.12 python3.11 python3 python python3.14}; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            python=$path
            return
        fi
        seen="$seen $path ($version)"
    done
    echo "Switchboard needs Python 3.11 or newer. Found:${seen:- none}." >&2
    echo "Install one, or name one: make up PYTHON=/path/to/python3.12" >&2
    exit 1
}

# A uv that is here already, else a pinned one, by whichever way this Python knows to install packages.
find_uv() {
    for uv in "$tools/bin/uv" "$(command -v uv || true)"; do
        case $("$uv" --version 2>/dev/null || true) in
            "uv 0.9."* | "uv 0."[1-9][0-9]* | "uv "[1-9]*) return ;;
        esac
    done
    echo "Installing uv $uv_version …"
    uv=$tools/bin/uv
    log=$(mktemp)
    if "$python" -m venv "$tools" >"$log" 2>&1; then
        "$tools/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" && return
    elif "$python" -m pip install -q --disable-pip-version-check --target "$tools" "uv==$uv_version" 2>>"$log"; then
        return
    fi
    cat "$log" >&2
    echo "$python can make no virtual environment and has no pip. On Debian and Ubuntu: apt install python3-venv." >&2
    echo "Or install uv, and run make again." >&2
    exit 1
}

find_python "${2:-}"
find_uv
echo "Installing what uv.lock names, for $("$python" --version) …"
exec "$uv" sync -q --frozen --no-python-downloads --python "$python"
