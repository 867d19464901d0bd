export TZ=UTC
date -d @0 '+%Y-%m-%d %H:%M:%S %Z'; date -u -d '2024-02-29 12:34:56' '+%j %a %b %e %u %s'; date -d '2024-01-31 + 1 day' +%F; date -d '2024-03-01 - 1 day' +%F
TZ=America/New_York date -d @1720000000 '+%F %T %z'; TZ=Europe/Berlin date -d @1700000000 +%FT%T%:z; date -d '2024-12-25' +%A; date -d @1700000000 +%s; date -d '2024-01-01T00:00:00Z' -Iseconds; date -d 'yesterday' +%F >/dev/null && echo relative; printf '%(%F)T\n' 86400
