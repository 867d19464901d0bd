cut -d: -f1,3 <<< a:b:c:d; cut -c2-4 <<< abcdef; cut -f2 <<< $'x\ty'; cut -d, -f2- <<< 1,2,3; cut -d' ' -f1 --complement <<< 'a b c'
tr a-z A-Z <<< hello; tr -d aeiou <<< education; tr -s ' ' <<< 'a   b'; tr -c 'a-z\n' _ <<< a1b2; tr '[:lower:]' '[:upper:]' <<< mix; tr -dc 0-9 <<< a1b2; echo
paste -sd+ <(seq 4); seq 6 | paste - - -; seq 3 | paste -d, - /dev/null; printf 'a\nb\n' | nl; seq 5 | tac | rev; expand <<< $'a\tb'
