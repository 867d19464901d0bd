timeout 0.2 sleep 5; echo $?; timeout 5 echo fine; echo $?; timeout 0.3 perl -e 'sleep 9'; echo $?; timeout 2 perl -e 'exit 6'; echo $?
timeout 0.2 sh -c 'while :; do sleep 0.05; done'; echo $?; echo in | timeout 1 cat; timeout 1 nosuchcommand 2>/dev/null; echo $?
