seq 20 > t; head -n 3 t; head -c 5 t; tail -n 2 t; tail -n +19 t; head -n -18 t; tail -c 3 t; wc -l < t; wc -w t; wc -c < t
head -2 t | tail -1; printf 'no newline' | wc -l; wc t; head -n1 t t; seq 3 | wc
