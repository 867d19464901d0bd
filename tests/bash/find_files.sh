mkdir -p a/b c; touch a/1.txt a/b/2.txt c/3.log; printf data > c/full
find . -name '*.txt' | sort; find a -type d | sort; find . -type f -empty | sort; find . -maxdepth 1 | sort; find . -size +0c -type f
find . -name '*.log' -exec echo found {} \;; find . -name '*.txt' -exec echo {} + | wc -w; find . -name b -prune -o -type f -print | sort
find . \( -name 1.txt -o -name full \) | sort; find . ! -name '*.txt' -type f | sort; find . -name '*.txt' -delete; find . -type f | sort
find . -iname '*.LOG' -printf '%f %s\n'; find none 2>/dev/null; echo $?
