printf 'alpha\nBeta\ngamma ray\nalphabet\n' > t; printf 'nothing\n' > u
grep alpha t; grep -c alpha t; grep -i beta t; grep -v a t; echo $?; grep -n gam t; grep -o 'al[a-z]*' t; grep -w alpha t
grep -E '^(a|g).*[yt]$' t; grep -l alpha t u; grep -L alpha t u; grep -q zzz t; echo $?; grep -F 'a r' t; grep -x alpha t
grep -A1 Beta t; grep -B1 gamma t; grep -e Beta -e ray t; grep -h alpha t u; grep alpha t u; grep zzz none 2>/dev/null; echo $?
mkdir d; cp t d/; grep -r alpha . | sort; grep -rn --include='*' ray d; grep -m1 a t; grep -P 'a(?=b)' t
