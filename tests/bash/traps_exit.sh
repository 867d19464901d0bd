trap 'echo bye $?' EXIT
(trap 'echo sub' EXIT; echo in)
f() { trap 'echo returned' RETURN; echo f; }; f; trap - RETURN
trap 'echo err at $?' ERR; false; true; trap - ERR
echo last; exit 5
