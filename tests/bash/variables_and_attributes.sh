declare -i n=5; n+=3; echo $n; declare -r ro=1; (ro=2) 2>/dev/null; echo $?; declare -u up=loud; echo $up; declare -l low=QUIET; echo $low; export E=1; declare -p E n ro; readonly -p | grep -c ro
a=1 b=2 env | grep -E '^(a|b)=' | sort; unset a; echo "${a-unset}"; declare -x X=y; sh -c 'echo $X'; typeset -i h=0x10; echo $h; x=5; x+=5; echo $x; : "${y:=default}"; echo $y
