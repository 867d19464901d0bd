n=0; attempt() { ((++n >= 3)); }; until attempt; do echo "try $n failed"; sleep 0.01; done; echo "ok after $n"
for delay in 0.01 0.02 0.04; do [ -e ready ] && break; perl -e 'exit 1' || echo "waited $delay"; sleep $delay; done; touch ready; [ -e ready ] && echo ready
deadline=$((SECONDS + 1)); i=0; while (( SECONDS < deadline && i < 5 )); do ((i++)); done; echo $i
