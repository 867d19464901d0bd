s='The quick brown fox'; echo ${#s}; words=($s); echo ${#words[@]} ${words[2]}; echo "${s// /_}"; echo "${s:4:5}"; [[ $s == *brown* ]] && echo has
rev <<< "$s"; for ((i=0;i<3;i++)); do printf '%s.' "${s:i:1}"; done; echo; printf '%s\n' "${s%% *}" "${s##* }"; x=abc; x+=def; echo $x; printf '%.3s\n' $x; t='  trim  '; t="${t#"${t%%[![:space:]]*}"}"; t="${t%"${t##*[![:space:]]}"}"; echo "[$t]"
printf -- '-%.0s' {1..10}; echo; v=$'a\nb'; echo "${v//$'\n'/,}"; echo "${s/quick/slow}"
