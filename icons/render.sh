#!/bin/sh
# Renders every icon from source/dragoman.svg. Needs rsvg-convert (librsvg2-bin) and python3; run it after a
# change of the drawing and commit what it writes. The same librsvg gives the same bytes.
set -eu
cd "$(dirname "$0")"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

# draw FILE SIZE CSS: the drawing with the parts shown that the CSS shows.
draw() {
    printf '%s\n' "$3" >"$parts/css"
    sed -e "/\/\* parts \*\//r $parts/css" source/dragoman.svg |
        rsvg-convert --width "$2" --height "$2" --output "$1"
}

# --- app icon: white bubbles on the accent's ground ------------------------------------------------------------
app='.plate, .pair, .lens { display: inline } .pair { stroke: #fff } .lens { fill: #fff }
     .sign { transform: translate(3.2px, 3.6px) scale(0.8) }'
draw 32x32.png 32 "$app"
draw 128x128.png 128 "$app"
draw 128x128@2x.png 256 "$app"
draw icon.png 512 "$app"

# --- containers for Windows and macOS ----------------------------------------------------------------------------
for size in 16 24 32 48 64 128 256 512 1024; do draw "$parts/$size.png" "$size" "$app"; done
python3 source/containers.py "$parts" .

# --- tray: one shape per state (never colour alone), middle tones that stand on light and dark panels --------------
mkdir -p tray
tray() { draw "tray/$1.png" 32 "$2"; }
tray off       '.pair { display: inline; stroke: #808080 }'
tray on        '.pair, .lens { display: inline }'
tray working   '.pair, .core { display: inline }'
tray near      '.pair, .gauge { display: inline } .pair { stroke: #c2700a } .gauge { fill: #c2700a }'
tray limit     '.one, .bar { display: inline } .one { stroke: #e5383b } .bar { fill: #e5383b }'
tray needs-you '.one, .bang { display: inline } .one { stroke: #c2700a } .bang { fill: #c2700a }'
