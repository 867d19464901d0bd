printf '[server]\nport = 8080\nhost = localhost\n[db]\nport = 5432\n' > app.ini
section=; while IFS='= ' read -r k v; do case $k in \[*\]) section=${k//[\[\]]/};; ?*) echo "$section.$k=$v";; esac; done < app.ini
sed -i '/^\[server\]/,/^\[/ s/^port = .*/port = 9090/' app.ini; cat app.ini; cp app.ini app.ini.bak; grep -q 9090 app.ini && mv app.ini.bak old.ini; ls *.ini; diff <(grep port app.ini) <(grep port old.ini) && echo same
