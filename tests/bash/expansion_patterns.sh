p=/var/log/app/server.log.gz
echo "${p#*/}" "${p##*/}" "${p%.*}" "${p%%.*}" "${p%/*}"
s=banana
echo "${s/an/AN}" "${s//an/AN}" "${s/#b/B}" "${s/%a/A}" "${s//[an]/}" "${s/x/y}"
echo "${#p} ${p:5:3} ${p: -3} ${p:(-6):2} ${p:0:4}"
