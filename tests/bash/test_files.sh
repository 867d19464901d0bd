echo data > f; mkdir d; ln -s f l; touch -d '2020-01-01' old; touch new
for t in -e -f -d -L -s -r -w; do for x in f d l none; do test $t $x && printf '%s %s; ' $t $x; done; done; echo
[ new -nt old ] && echo newer; [ old -ot new ] && echo older; [ f -ef ./f ] && echo same; readlink l; stat -c '%s %F' f d; chmod 640 f; stat -c %a f; test -h l && echo link
