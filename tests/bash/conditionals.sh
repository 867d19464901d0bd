if [ 1 -lt 2 ] && [[ abc == a* ]]; then echo yes; elif true; then echo no; else echo never; fi
[[ abc =~ ^(a)(b.*)$ ]] && echo "${BASH_REMATCH[0]} ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
[[ a < b ]] && echo less; [[ 10 -gt 9 && ! -e none ]] && echo and; [[ -z "" || x = y ]] && echo or
test -n "x" -a 1 = 1 && echo test; [ ! -f none ] && echo nofile; touch f; [ -f f ] && [ ! -s f ] && echo emptyfile
[ "a b" = "a b" ] && echo eq; [[ "a*" == "a*" ]] && echo lit; [[ abc == "a*" ]] || echo notglob
[ -d . ] && echo dir; [ -x f ] || echo notexec; chmod +x f; [ -x f ] && echo exec
