true; echo $?; false; echo $?; (exit 42); echo $?; nosuchcommand 2>/dev/null; echo $?; touch plain; ./plain 2>/dev/null; echo $?; ./missing 2>/dev/null; echo $?; . 2>/dev/null; echo $?
sh -c 'exit 300'; echo $?; bash -c 'kill -9 $$'; echo $?; [ 1 -eq x ] 2>/dev/null; echo $?; eval 'if' 2>/dev/null; echo $?; cd nowhere 2>/dev/null; echo $?; exit 9
