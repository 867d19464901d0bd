t() { case $1 in a|b) echo ab;; [0-9]*) echo number;; *.txt) echo text;; "") echo empty;; "q q") echo quoted;; *) echo other;; esac; }
t a; t b; t 42x; t n.txt; t ''; t 'q q'; t zzz
case x in x) echo one;;& [a-z]) echo two;& y) echo three;; *) echo four;; esac
shopt -s nocasematch; case ABC in abc) echo same;; esac
