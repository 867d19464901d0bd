x=$(printf 'a\nb\n\n\n'); printf '[%s]\n' "$x"
y=`echo back \`echo tick\``; echo "$y"
echo "$(echo "$(echo deep)")" $(echo two words | wc -w)
z=$(false); echo "status $?"; local_status() { local v=$(false); echo $?; }; local_status
f=$(mktemp); echo data > "$f"; echo "$(<"$f")"; rm "$f"
echo "$( (echo sub; exit 3) )" $?
