for i in 1 2 3; do echo line $i; done > out; wc -l < out
while read -r a b; do echo "$b:$a"; done < out > out2; cat out2
if true; then echo in; echo err >&2; fi > both 2>&1; sort both
f() { echo fout; echo ferr >&2; }; f > o 2> e; cat o e; (echo sub; cd /; pwd) >> o; tail -n 2 o; { echo g1; echo g2; } | tee copy | wc -l; cat copy
