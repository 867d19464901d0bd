x=1; (x=2; echo $x; exit 7); echo "$x $?"; (cd /; pwd); [ "$(pwd)" != / ] && echo stayed
{ x=3; }; echo $x; (export Y=y; sh -c 'echo $Y'); echo "[${Y-}]"; echo $BASH_SUBSHELL $(echo $BASH_SUBSHELL) $( (echo $BASH_SUBSHELL) )
f() ( x=9; echo body $x ); f; echo $x; (umask 077; umask); (set -f; echo *); (return 2>/dev/null; echo r)
