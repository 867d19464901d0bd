cat > access.log <<'L'
10.0.0.1 GET /a 200 12
10.0.0.2 GET /b 500 40
10.0.0.1 POST /a 201 33
10.0.0.3 GET /c 404 7
10.0.0.2 GET /b 500 51
L
awk '$4>=500{e[$3]++} END{for(p in e) print e[p],p}' access.log; cut -d' ' -f1 access.log | sort | uniq -c | sort -k1,1nr -k2 | awk '{print $2":"$1}'
grep -c ' 500 ' access.log; awk '{s+=$5; if($5>m)m=$5} END{printf "avg %.2f max %d\n", s/NR, m}' access.log; sort -k5,5nr access.log | head -n 2 | cut -d' ' -f3,5
while read -r ip method path status ms; do (( status >= 400 )) && echo "$method $path $status"; done < access.log | sort -u; sed -n '/ 404 /=' access.log; tail -n 1 access.log | tr ' ' '|'
