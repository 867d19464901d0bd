command -v jq >/dev/null || true
j='{"name":"app","ports":[80,443],"up":true}'; case $j in *'"up":true'*) echo up;; esac
[[ $j =~ \"name\":\"([^\"]+)\" ]] && echo "${BASH_REMATCH[1]}"
sed -E 's/.*"ports":\[([0-9,]+)\].*/\1/' <<< "$j" | tr , '\n' | sort -n | tail -1
