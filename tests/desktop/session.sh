#!/bin/bash
# Usage: tests/desktop/session.sh COMMAND…
#
# Runs the command inside a desktop of its own: X server, session bus, unlocked keyring, window manager and a panel
# with a tray, all private, all gone afterwards. The caller's HOME, bus and display are never touched.
# COLOURS=dark gives a dark panel and a dark preference for web pages.
set -euo pipefail

for tool in Xvfb dbus-run-session gnome-keyring-daemon xfwm4 xfce4-panel busctl; do
    command -v "$tool" >/dev/null || { echo "$0: $tool is missing; \`.ci/setup test\` installs it" >&2; exit 3; }
done

# Tools of the caller stay where they are; everything else moves.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
session=$(mktemp -d)
export DESKTOP_TEST_SESSION=$session
export HOME=$session/home XDG_RUNTIME_DIR=$session/run
export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_CACHE_HOME=$HOME/.cache XDG_STATE_HOME=$HOME/.local/state
mkdir -p "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME/gtk-3.0" "$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml"
mkdir -m 700 "$XDG_RUNTIME_DIR"
unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY GNOME_KEYRING_CONTROL
export GDK_BACKEND=x11 XDG_SESSION_TYPE=x11 XDG_CURRENT_DESKTOP=XFCE NO_AT_BRIDGE=1

dark=false
if [ "${COLOURS:-light}" = dark ]; then dark=true; fi
printf '[Settings]\ngtk-theme-name=Adwaita\ngtk-application-prefer-dark-theme=%s\n' "$dark" >"$XDG_CONFIG_HOME/gtk-3.0/settings.ini"
cat >"$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml" <<X
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="$dark"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
X

# Nobody shows notifications here unless a test does: without this the bus would start whatever is installed.
mkdir -p "$XDG_RUNTIME_DIR/dbus-1/services"
printf '[D-BUS Service]\nName=org.freedesktop.Notifications\nExec=/bin/false\n' >"$XDG_RUNTIME_DIR/dbus-1/services/org.freedesktop.Notifications.service"

# The X server picks a free display number itself and says which.
mkfifo "$session/display"
Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$session/display" >"$session/xvfb.log" 2>&1 &
xvfb=$!
cleanup() {
    kill "$xvfb" 2>/dev/null || true
    wait "$xvfb" 2>/dev/null || true
    # What the session started may still write while it ends.
    for _ in $(seq 25); do rm -rf "$session" 2>/dev/null && break; sleep 0.2; done
}
trap cleanup EXIT
read -r -t 20 number <"$session/display" || { echo "$0: the X server did not start:" >&2; cat "$session/xvfb.log" >&2; exit 3; }
export DISPLAY=:$number

inside() {
    printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 &
    keyring=$!
    xfwm4 --compositor=off >"$DESKTOP_TEST_SESSION/xfwm4.log" 2>&1 &
    manager=$!
    xfce4-panel --disable-wm-check >"$DESKTOP_TEST_SESSION/panel.log" 2>&1 &
    panel=$!
    for _ in $(seq 200); do
        if busctl --user status org.kde.StatusNotifierWatcher >/dev/null 2>&1; then break; fi
        sleep 0.1
    done
    busctl --user status org.kde.StatusNotifierWatcher >/dev/null 2>&1 || {
        echo "the panel did not offer a tray:" >&2
        cat "$DESKTOP_TEST_SESSION/panel.log" >&2
        exit 3
    }
    status=0
    "$@" || status=$?
    kill "$panel" "$manager" "$keyring" 2>/dev/null || true
    exit "$status"
}
export -f inside
status=0
dbus-run-session -- bash -c 'inside "$@"' inside "$@" || status=$?
exit "$status"
