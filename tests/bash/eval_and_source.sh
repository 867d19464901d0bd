cmd='echo "evaluated $((1+1))"'; eval "$cmd"; v=name; eval "$v=value"; echo $name; eval 'f() { echo made; }'; f
printf 'sourced=yes\nsf() { echo "in sf $1"; }\nreturn 4\n' > lib.sh; . ./lib.sh; echo "$? $sourced"; sf arg; source lib.sh x y; echo $?
printf '#!/bin/bash\necho "script $0 $1 $#"\nexit 6\n' > run.sh; chmod +x run.sh; ./run.sh a b; echo $?; bash run.sh c; sh -c 'echo "$0 $1"' zero one
