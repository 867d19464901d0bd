(set -e; true; echo one; false; echo never); echo $?
(set -e; if false; then :; fi; false || true; ! true; echo survived); echo $?
(set -e; f() { false; echo in; }; f || echo handled; echo after); echo $?
(set -e; x=$(false); echo never); echo $?
(set -e; false | true; echo piped; set -o pipefail; false | true; echo never); echo $?
(set -e; (exit 4); echo never); echo $?; (set -e; for i in 1 2; do [ $i = 1 ] || false; echo $i; done; echo never); echo $?
